// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nic_faults/scenario.hpp"

namespace verbcast::nic_faults {

/// What came of one seed.
struct verdict {
    std::vector<std::string> complaints;            ///< empty: all held
    std::map<std::string, std::uint64_t> occurred;  ///< faults by kind
};

/// Sends what the scenario says, in a process without faults: when `go` is written to, until all is sent.
void send(const scenario& what, int go, int done);

/// Receives it on the faulty NIC of this process, and holds what it is told against the NIC's truth. `truth_folder` is
/// where the NIC writes it.
verdict receive(const scenario& what, int go, int done, const std::string& truth_folder);

}  // namespace verbcast::nic_faults
