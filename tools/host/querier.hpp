// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tools/host/host_snapshot.hpp"

namespace verbcast::tools {

/// Waits until an IGMP query has come on each interface, for `patience` at most: "10.0.0.1", or absent when none came.
/// Refused without CAP_NET_RAW. One thread.
std::map<std::string, reading> listen_for_queriers(const std::vector<std::string>& interfaces,
                                                   std::chrono::nanoseconds patience);

}  // namespace verbcast::tools
