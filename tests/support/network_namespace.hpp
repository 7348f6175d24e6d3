// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verbcast::test {

/// A network of its own, with `lo` up, for this thread and those it starts from then on, until the process ends. Ends
/// the process as skipped where that is possible neither as root nor with a user namespace.
///
/// A second one in the same process replaces the first for this thread: nothing is left of what a test did before.
void enter_network_namespace();

/// Runs ip(8) with these arguments; throws std::runtime_error with what it said when it fails.
void ip(std::string_view arguments);

/// Two ends of a cable in this namespace, up, with 10.99.0.1/24 and fd99::1/64 on the first, .2 and ::2 on the other,
/// and each taking packets from the other although that is this machine too.
void make_veth_pair(std::string_view first = "veth0", std::string_view other = "veth1");

/// Sets a file below /proc/sys; true when it could be.
bool set_sysctl(std::string_view name, std::string_view value);

/// The groups that interfaces of this namespace have joined, as the kernel lists them: "lo 239.1.1.1".
std::vector<std::string> joined_groups();

}  // namespace verbcast::test
