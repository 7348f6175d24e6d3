// SPDX-License-Identifier: BSD-3-Clause
#include "src/range_set.hpp"

#include <iterator>

namespace verbcast {

bool range_set::continues_last(std::uint64_t first, std::uint64_t end) const noexcept {
    if (last_ == ranges_.end() || last_->second != first) return false;
    const auto next = std::next(last_);
    return next == ranges_.end() || end < next->first;
}

std::optional<reject_reason> range_set::add(std::uint64_t first, std::uint64_t end, std::size_t ranges_max) {
    if (add_behind_last(first, end)) return std::nullopt;
    const auto next = ranges_.upper_bound(first);
    const auto before = next == ranges_.begin() ? ranges_.end() : std::prev(next);
    if (before != ranges_.end() && before->second > first)
        return end <= before->second ? reject_reason::duplicate : reject_reason::overlap;
    if (next != ranges_.end() && next->first < end) return reject_reason::overlap;

    const bool joins_before = before != ranges_.end() && before->second == first;
    const bool joins_next = next != ranges_.end() && next->first == end;
    if (!joins_before && !joins_next && ranges_.size() >= ranges_max) return reject_reason::too_many_ranges;
    if (joins_before) {
        before->second = end;
        last_ = before;
    } else {
        last_ = ranges_.emplace_hint(next, first, end);
    }
    if (joins_next) {
        last_->second = next->second;
        ranges_.erase(next);
    }
    return std::nullopt;
}

}  // namespace verbcast
