// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "verbs/device.hpp"
#include "verbs/handle.hpp"

namespace verbcast::verbs {

/// Memory that a device writes to, and its registration: one object, so that neither can go without the other.
///
/// In huge pages when there are any, on the device's NUMA node. One region; several when the device refuses one so
/// large.
class registered_memory {
public:
    /// `slots` pieces of `slot_bytes` each, none of which lies in two regions. Throws os_error; too little locked
    /// memory is told with the figures, before anything is registered where the kernel would refuse.
    registered_memory(const device& owner, ibv_pd* domain, std::size_t slots, std::size_t slot_bytes);

    std::byte* slot(std::size_t index) const noexcept { return mapping_.data() + index * slot_bytes_; }
    std::uint32_t local_key(std::size_t slot) const noexcept { return regions_[slot / region_slots_]->lkey; }
    std::size_t slots() const noexcept { return slots_; }
    std::size_t slot_bytes() const noexcept { return slot_bytes_; }
    std::size_t regions() const noexcept { return regions_.size(); }

private:
    /// Pages of this process, given back when it goes.
    class mapping {
    public:
        mapping(std::size_t bytes, std::optional<unsigned> numa_node);
        ~mapping();
        mapping(const mapping&) = delete;
        mapping& operator=(const mapping&) = delete;

        std::byte* data() const noexcept { return data_; }

    private:
        std::byte* data_;
        std::size_t bytes_;
    };

    bool try_register(ibv_pd* domain, std::size_t region_slots);

    const std::size_t slots_;
    const std::size_t slot_bytes_;
    // Destroyed bottom-up: the device lets go of the pages before they are unmapped.
    mapping mapping_;
    std::size_t region_slots_ = 0;
    std::vector<memory_region> regions_;
};

}  // namespace verbcast::verbs
