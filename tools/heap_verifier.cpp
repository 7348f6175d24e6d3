// SPDX-License-Identifier: BSD-3-Clause
#include "heap_verifier.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "flavour.hpp"
#include "verify_pattern.hpp"

namespace verbcast::tools {

std::optional<std::string> heap_verifier::check(const heap& each) {
    if (each.status() == heap_status::incomplete) return std::nullopt;
    const std::uint64_t data_id = flavour{.address_bits = each.address_bits()}.data_id();
    const auto items = each.items();
    const auto data =
        std::find_if(items.begin(), items.end(), [&](const item& one) { return one.id == data_id && !one.immediate; });
    if (data == items.end()) {
        if (each.is_start() || each.is_stop()) return std::nullopt;
        ++heaps_bad_;
        return fmt::format("heap {} has no item {:#x}: send --verify did not make it", each.cnt(), data_id);
    }
    const auto mismatch = pattern_mismatch(each.cnt(), data->bytes);
    if (!mismatch) {
        ++heaps_ok_;
        return std::nullopt;
    }
    ++heaps_bad_;
    return fmt::format("heap {}: byte {} of {} is not what send --verify wrote there", each.cnt(), *mismatch,
                       data->bytes.size());
}

}  // namespace verbcast::tools
