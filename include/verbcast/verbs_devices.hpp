// SPDX-License-Identifier: BSD-3-Clause
/// The RDMA devices of this host, tried out: what an ibv_reader could do with each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <verbcast/api.hpp>

namespace verbcast {

struct verbs_device {
    std::string name = {};
    std::string interface = {};  ///< of its first port that has one
    std::string trouble = {};    ///< why it cannot be opened; then the rest is not known
    std::uint32_t receives_max = 0;
    std::uint32_t completions_max = 0;
    std::uint64_t region_bytes_max = 0;
    bool timestamps = false;
    bool counts_flows = false;
    std::string queue_pair_refused = {};  ///< why a raw queue pair could not be made; empty: it could
    std::string flow_rule_refused = {};   ///< why a steering rule could not be made; empty: it could
};

struct verbs_devices {
    std::vector<verbs_device> devices = {};
    std::string trouble = {};  ///< why libibverbs could not be asked
    bool fork_is_safe = true;  ///< memory that is registered stays with this process when it forks
};

/// Opens each device and makes, for a moment, a queue pair and a rule that nothing matches. Any thread; some
/// milliseconds a device.
VERBCAST_API verbs_devices read_verbs_devices();

}  // namespace verbcast
