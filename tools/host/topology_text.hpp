// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tools/host/host_view.hpp"

namespace verbcast::tools {

/// A tree for a terminal. `proposed` is of propose_threads().
std::string topology_text(const host_view& view, const std::vector<placement_report>& proposed);

}  // namespace verbcast::tools
