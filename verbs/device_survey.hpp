// SPDX-License-Identifier: BSD-3-Clause
/// What the RDMA devices of this machine are and can do, tried out rather than believed.
#pragma once

#include <string>
#include <vector>

#include "verbs/device.hpp"

namespace verbcast::verbs {

struct surveyed_device {
    std::string name;
    std::string interface;  ///< of its first port that has one
    std::string trouble;    ///< why it cannot be used at all; then the rest is not known
    capabilities can;
    std::string queue_pair_refused;  ///< why no raw queue pair could be made; empty: one was
    std::string flow_rule_refused;   ///< why no rule could be made for it; empty: one was
    bool counts_flows = false;       ///< frames that a rule has matched
};

/// Opens each device, makes a queue pair and a rule that nothing matches, and takes both away again: some milliseconds
/// a device. Throws os_error when libibverbs does not answer.
std::vector<surveyed_device> survey_devices();

/// Whether memory that is registered stays with this process when it forks.
bool fork_is_safe() noexcept;

}  // namespace verbcast::verbs
