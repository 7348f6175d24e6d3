// SPDX-License-Identifier: BSD-3-Clause
/// What `doctor` knows: pure functions from a host and a plan to findings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <verbcast/group.hpp>
#include <verbcast/units.hpp>

#include "tools/host/finding.hpp"
#include "tools/host/host_view.hpp"

namespace verbcast::tools {

/// What is going to be received.
struct reception_plan {
    std::vector<std::string> interfaces = {};  ///< none: those that look like NICs
    std::vector<group> groups = {};
    std::uint64_t socket_bytes = 32_MiB;  ///< receive buffer of a socket
    std::uint64_t region_bytes = 64_MiB;  ///< memory that a NIC receives into
    std::uint64_t packet_bytes = 0;       ///< UDP payload; 0: not known
    std::size_t threads = 2;              ///< for each NIC
};

/// All of it. `plan.interfaces` may be any: one that the host has not is a finding.
findings diagnose(const host_view& host, const reception_plan& plan);

/// What is looked at: plan.interfaces, or the interfaces of NICs that are up, or any that is up but `lo`.
std::vector<std::string> interfaces_of(const host_view& host, const reception_plan& plan);

// In the order in which they are reported.
void check_verbs(const host_view& host, const reception_plan& plan, findings& into);
void check_privileges(const host_view& host, const reception_plan& plan, findings& into);
void check_links(const host_view& host, const reception_plan& plan, findings& into);
void check_multicast(const host_view& host, const reception_plan& plan, findings& into);
void check_groups(const host_view& host, const reception_plan& plan, findings& into);
void check_firewall(const host_view& host, const reception_plan& plan, findings& into);
void check_places(const host_view& host, const reception_plan& plan, findings& into);
void check_cpus(const host_view& host, const reception_plan& plan, findings& into);
void check_memory(const host_view& host, const reception_plan& plan, findings& into);
void check_container(const host_view& host, const reception_plan& plan, findings& into);

/// Makes `about` what it is when it could not be measured: unknown, with the reason, and without a fix.
finding not_known(finding about, const std::string& why_not);
/// Without a fix, which nothing needs that is well.
finding well(finding about);
finding bad(finding about, severity how);

/// "sysctl -w NAME=VALUE", and how to keep it.
void set_sysctl_fix(finding& into, const std::string& name, std::int64_t value);

}  // namespace verbcast::tools
