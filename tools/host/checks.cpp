// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/checks.hpp"

#include <fmt/format.h>

namespace verbcast::tools {

findings diagnose(const host_view& host, const reception_plan& plan) {
    findings all;
    for (const auto check : {check_verbs, check_privileges, check_links, check_multicast, check_groups, check_firewall,
                             check_places, check_cpus, check_memory, check_container})
        check(host, plan, all);
    return all;
}

std::vector<std::string> interfaces_of(const host_view& host, const reception_plan& plan) {
    if (!plan.interfaces.empty()) return plan.interfaces;
    std::vector<std::string> nics, others;
    for (const network_interface& each : host.interfaces) {
        if (!each.up || each.loopback) continue;
        (host.find_nic(each.name) != nullptr || !each.bus.empty() ? nics : others).push_back(each.name);
    }
    return nics.empty() ? others : nics;
}

finding not_known(finding about, const std::string& why_not) {
    about.how = severity::unknown;
    about.measured = why_not;
    about.fix.clear();
    about.persist.clear();
    return about;
}

finding well(finding about) {
    about.how = severity::ok;
    about.fix.clear();
    about.persist.clear();
    return about;
}

finding bad(finding about, severity how) {
    about.how = how;
    return about;
}

void set_sysctl_fix(finding& into, const std::string& name, std::int64_t value) {
    into.fix = fmt::format("sysctl -w {}={}", name, value);
    into.persist = fmt::format("echo '{}={}' >>/etc/sysctl.d/60-verbcast.conf", name, value);
}

}  // namespace verbcast::tools
