// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tools/host/host_snapshot.hpp"

namespace verbcast::tools {

struct gather_wish {
    std::vector<std::string> interfaces = {};  ///< on which a querier is waited for
    std::chrono::nanoseconds listen_time{};    ///< how long; not at all when it is 0
    bool with_topology_only = false;           ///< what `topo` shows, without the rest
};

/// Reads this host. What cannot be read is in the snapshot as refused, with the reason. One thread.
host_snapshot gather(const gather_wish& wish);

/// What a bundle has in it, for the person who is asked to send it.
extern const char* const bundle_contents;

}  // namespace verbcast::tools
