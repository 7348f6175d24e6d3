// SPDX-License-Identifier: BSD-3-Clause
/// A topology's lists as a tree, for pictures.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/topology.hpp>

#include "tools/host/host_view.hpp"

namespace verbcast::tools {

using core_part = std::vector<const topology::cpu*>;

struct cache_part {
    std::uint64_t bytes = 0;
    std::vector<core_part> cores = {};
};

struct node_part {
    std::vector<const topology::memory_node*> memories = {};  ///< with the same CPUs; none for CPUs without memory
    std::vector<cache_part> caches = {};
    std::vector<std::size_t> nics = {};
};

struct package_part {
    const topology::package* package = nullptr;
    std::vector<node_part> nodes = {};
    std::vector<std::size_t> nics = {};  ///< of no single node, but of this package
};

struct machine_parts {
    std::vector<package_part> packages = {};
    std::vector<const topology::memory_node*> memories = {};  ///< nobody's own
    std::vector<std::size_t> nics = {};                       ///< somewhere
};

/// Points into `host`.
machine_parts parts_of(const topology& host);

/// "2 packages, 16 cores with 32 threads, 2 NUMA nodes, 128 GiB".
std::string summary_of(const topology& host);

/// "NUMA node 0  64 GiB", with `between` in the middle; without a size that is not known.
std::string memory_text(const topology::memory_node& node, std::string_view between);

/// "PCIe x16 at 16 GT/s, 31.5 GB/s"; "PCIe, 2.0 GB/s" when the rest is not known, "" when nothing is.
std::string link_text(const pcie_link& link);
/// "100 Gb/s port", "link down"; "" when nothing is known.
std::string port_text(const network_interface* interface);
/// "interrupts on 0-3"; "" when nothing is known.
std::string interrupts_text(const std::vector<interrupt>& interrupts);

}  // namespace verbcast::tools
