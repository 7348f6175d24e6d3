// SPDX-License-Identifier: BSD-3-Clause
/// The item pointers of a heap, each once, in their order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <verbcast/packet.hpp>

namespace verbcast {

class pointer_table {
public:
    pointer_table();

    /// Takes the items among the pointers of a packet (ids 0 and above 4), less those it has. False, with nothing
    /// taken, when it would then hold more than `pointers_max`. Linear in the packet's pointers, whatever they are: a
    /// sender cannot choose pointers that collide, since each process hashes in its own way.
    bool add(const packet& added, std::size_t pointers_max);

    /// Forgets the pointers after the first `size`.
    void take_back_to(std::size_t size) noexcept;
    void clear() noexcept;
    std::span<const item_pointer> pointers() const noexcept { return pointers_; }

private:
    void insert(item_pointer pointer);
    bool contains(item_pointer pointer) const noexcept;
    void index_from(std::size_t first);
    std::size_t slot_of(item_pointer pointer) const noexcept;

    std::vector<item_pointer> pointers_;
    std::vector<std::uint32_t> slots_;  // 1 + an index into pointers_, 0 when free; empty while the table is small
};

}  // namespace verbcast
