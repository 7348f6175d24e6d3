// SPDX-License-Identifier: BSD-3-Clause
#include "src/pointer_table.hpp"

#include <algorithm>
#include <random>

#include "src/byte_order.hpp"

namespace verbcast {
namespace {

/// Up to here a search through the list is faster than hashing.
constexpr std::size_t list_size_max = 16;

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32 | device()) | 1;
}

std::uint64_t mixed(std::uint64_t key) noexcept {
    static const std::uint64_t seed = random_seed();
    key = (key ^ seed) * 0x9e3779b97f4a7c15;
    key = (key ^ key >> 32) * seed;
    return key ^ key >> 29;
}

bool is_item(item_pointer pointer, unsigned address_bits) noexcept {
    const std::uint64_t id = pointer.id(address_bits);
    return id == item_id::null || id > item_id::payload_length;
}

}  // namespace

pointer_table::pointer_table() { pointers_.reserve(list_size_max); }

bool pointer_table::add(const packet& added, std::size_t pointers_max) {
    const std::size_t size_before = pointers_.size();
    std::size_t expected = 0;  // senders repeat the same pointers in the same order
    for (std::size_t at = 0; at < added.pointers.size(); at += sizeof(std::uint64_t)) {
        const item_pointer pointer{load_big_endian(added.pointers.data() + at)};
        if (!is_item(pointer, added.address_bits)) continue;
        if (expected < size_before && pointers_[expected] == pointer) {
            ++expected;
            continue;
        }
        insert(pointer);
        if (pointers_.size() > pointers_max) {
            take_back_to(size_before);
            return false;
        }
    }
    return true;
}

void pointer_table::clear() noexcept {
    pointers_.clear();
    slots_.clear();
}

void pointer_table::insert(item_pointer pointer) {
    if (contains(pointer)) return;
    pointers_.push_back(pointer);
    index_from(pointers_.size() - 1);
}

/// In the reverse order of insertion: then no search for another pointer has gone past the slot that becomes free.
void pointer_table::take_back_to(std::size_t size) noexcept {
    while (pointers_.size() > size) {
        if (!slots_.empty()) slots_[slot_of(pointers_.back())] = 0;
        pointers_.pop_back();
    }
}

bool pointer_table::contains(item_pointer pointer) const noexcept {
    if (slots_.empty()) return std::find(pointers_.begin(), pointers_.end(), pointer) != pointers_.end();
    return slots_[slot_of(pointer)] != 0;
}

/// Brings the index up to date with pointers_[first...], once there is one: a packet that was taken back may have made
/// it. It is never more than half full.
void pointer_table::index_from(std::size_t first) {
    if (slots_.empty() && pointers_.size() <= list_size_max) return;
    if (slots_.size() < pointers_.size() * 2) {
        std::size_t size = std::max<std::size_t>(slots_.size(), list_size_max * 2);
        while (size < pointers_.size() * 2) size *= 2;
        slots_.assign(size * 2, 0);
        first = 0;
    }
    for (std::size_t i = first; i < pointers_.size(); ++i)
        slots_[slot_of(pointers_[i])] = static_cast<std::uint32_t>(i + 1);
}

/// Where the pointer is, or where it would go.
std::size_t pointer_table::slot_of(item_pointer pointer) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = mixed(pointer.raw()) & mask;
    while (slots_[slot] != 0 && pointers_[slots_[slot] - 1] != pointer) slot = (slot + 1) & mask;
    return slot;
}

}  // namespace verbcast
