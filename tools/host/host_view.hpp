// SPDX-License-Identifier: BSD-3-Clause
/// A snapshot, understood: what `topo` draws and `doctor` judges.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/placement.hpp>
#include <verbcast/topology.hpp>

#include "tools/host/host_snapshot.hpp"
#include "tools/host/network_interface.hpp"

namespace verbcast::tools {

struct pcie_link {
    double gigabytes_per_second = 0;  ///< one way; 0: not known
    int width = 0;                    ///< lanes; 0: not known
    int width_max = 0;                ///< what the card could
    double gigatransfers = 0;         ///< of a lane; 0: not known
    double gigatransfers_max = 0;
};

struct interrupt {
    int number = 0;
    std::vector<int> cpus = {};  ///< where it fires
};

struct host_view {
    host_snapshot raw;
    topology layout = {};
    std::vector<network_interface> interfaces = {};

    /// Null when there is none of that name.
    const network_interface* find_interface(std::string_view name) const;
    /// Of an interface, or of the first below it that is one. Null when none is known.
    const topology::nic* find_nic(const std::string& name) const;
    pcie_link link_of(const topology::nic& nic) const;
    std::vector<interrupt> interrupts_of(const topology::nic& nic) const;
};

/// Throws std::runtime_error when the snapshot has no topology, or one that cannot be read.
host_view view_of(host_snapshot snapshot);

/// What a NIC's threads were proposed, in the order of host.nics. NICs do not share cores while there is a choice
/// without core 0.
std::vector<placement_report> propose_threads(const topology& host, std::size_t threads);

/// What to paste: "verbcast recv GROUP --interface eth0 --threads 2 --placement 2,4".
std::string command_for(const topology::nic& nic, const placement_report& proposed);

/// Reads a file that a stranger may have made: in a process of its own first, for damaged XML can crash hwloc.
/// Throws std::runtime_error naming the file.
host_view view_of_file(const std::string& file);

}  // namespace verbcast::tools
