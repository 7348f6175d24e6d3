// SPDX-License-Identifier: BSD-3-Clause
/// Where threads run and where memory lies. A packet that crosses from one socket's NIC to another socket's core costs
/// a receiver up to half its rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/topology.hpp>

namespace verbcast {

/// A wish, for thread_pool_config and stream_config.
struct placement {
    enum class mode : std::uint8_t {
        none,       ///< wherever the kernel likes
        automatic,  ///< beside the NIC
        cores,      ///< on the cores that are named
    };
    mode how = mode::none;
    /// The NIC: a network interface or an RDMA device. Where `how` is cores it decides where memory lies; without it,
    /// memory lies beside the cores.
    std::string interface = {};
    /// CPUs as the kernel numbers them. Thread i runs on cores[i % cores.size()].
    std::vector<int> cores = {};

    VERBCAST_API static placement beside(std::string interface);
    VERBCAST_API static placement on(std::vector<int> cores);

    /// Throws config_error.
    VERBCAST_API void validate() const;

    friend bool operator==(const placement&, const placement&) = default;
};

/// What was decided.
struct placement_report {
    /// Thread i runs on cores[i % cores.size()] only; empty: wherever the kernel likes.
    std::vector<int> cores = {};
    /// Receive buffers and payloads lie on this NUMA node; empty: where the thread runs that touches them first.
    std::optional<int> memory_node = {};
    /// How well the place of the NIC is known.
    topology::locality locality = topology::locality::unknown;
    /// For a person, one line: what was decided and why, and what could not be had.
    std::string text = {};
};

/// Decides for `threads` threads on a host. Pure. Takes what the process may use only; avoids, while there is a choice,
/// `taken`, cores that are not isolated, core 0 (where kernels put their chores) and a second thread of a core that has
/// one. Throws config_error when cores are named that may not be used.
VERBCAST_API placement_report place(const placement& wish, const topology& host, std::size_t threads,
                                    const std::vector<int>& taken = {});

/// The same for this host, which it reads unless the wish is none: call it, or whatever takes a placement, before you
/// pin the calling thread yourself. An interface on top of others (VLAN, bond) is where those are. Memory that may not
/// be bound (some containers forbid it) is left where it comes to lie, which the report says.
VERBCAST_API placement_report place_here(const placement& wish, std::size_t threads);

}  // namespace verbcast
