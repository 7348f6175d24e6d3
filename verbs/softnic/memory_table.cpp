// SPDX-License-Identifier: BSD-3-Clause
#include "memory_table.hpp"

#include "objects.hpp"

#include <algorithm>

namespace softnic {

void memory_table::add(memory_region& region) {
    const auto free = [](const slot& each) { return each.region == nullptr; };
    auto found = std::find_if(slots_.begin(), slots_.end(), free);
    if (found == slots_.end()) found = slots_.insert(slots_.end(), slot{});
    found->region = &region;
    ++found->tag;
    // Index 0 is never used: a request whose key was not set must not work by chance.
    const auto index = static_cast<std::uint32_t>(found - slots_.begin()) + 1;
    region.handle = index;
    region.lkey = region.rkey = index << 8 | found->tag;
}

void memory_table::remove(const memory_region& region) noexcept { slots_[region.handle - 1].region = nullptr; }

std::byte* memory_table::resolve(const ibv_sge& entry, const ibv_pd* domain, unsigned access_needed) const noexcept {
    const std::uint32_t index = (entry.lkey >> 8) - 1;
    if (index >= slots_.size()) return nullptr;
    const memory_region* region = slots_[index].region;
    if (region == nullptr || slots_[index].tag != (entry.lkey & 0xff)) return nullptr;
    if (root_of(region->pd) != root_of(domain) || (region->access & access_needed) != access_needed) return nullptr;
    const std::uint64_t offset = entry.addr - region->iova;
    if (offset > region->length || entry.length > region->length - offset) return nullptr;
    return static_cast<std::byte*>(region->addr) + offset;
}

}  // namespace softnic
