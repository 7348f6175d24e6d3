// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tools/host/host_snapshot.hpp"

namespace verbcast::tools {

/// Where the limits of this process's control group, and of those around it, are, innermost first. `name` is "cpu" or
/// "memory". Version 2 ("cpu.max") and version 1 ("cpu.cfs_quota_us"), by what /proc/self/cgroup says; none when that
/// was not read.
std::vector<std::string> cgroup_files(const host_snapshot& raw, const std::string& name);

}  // namespace verbcast::tools
