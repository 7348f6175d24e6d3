// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tools/host/host_view.hpp"

namespace verbcast::tools {

/// What `topo --json` prints. `proposed` is of propose_threads().
json topology_json(const host_view& view, const std::vector<placement_report>& proposed);

}  // namespace verbcast::tools
