// SPDX-License-Identifier: BSD-3-Clause
#include "src/heap_window.hpp"

#include <span>
#include <utility>

namespace verbcast {

heap_window::heap_window(std::size_t heaps_live_max, std::size_t substreams, live_heap_rules rules)
    : rules_(std::move(rules)), window_(heaps_live_max), substream_of_(substreams), substreams_(substreams) {
    places_.reserve(window_ * substreams);
    for (std::size_t i = 0; i < window_ * substreams; ++i)
        places_.push_back(std::make_unique<live_heap>(rules_, memory_, &range_nodes_));
    incoming_ = std::make_unique<live_heap>(rules_, memory_, &range_nodes_);
    recent_ = places_.front().get();
}

heap_window::outcome heap_window::add(const packet& offered, arrival_time arrival, clock_source clock) {
    // A packet that is a whole heap is not looked up: a partial heap of the same cnt stays as it is.
    const bool whole = offered.payload.size() == offered.heap_length;
    if (!whole && !recent_->empty() && recent_->cnt() == offered.heap_cnt)
        return add_to(*recent_, offered, arrival, clock);
    const std::size_t index = substream_of_(offered.heap_cnt);
    if (!whole)
        if (live_heap* const existing = find(index, offered.heap_cnt))
            return add_to(*existing, offered, arrival, clock);
    return start(index, offered, arrival, clock);
}

/// The newest first: a packet that is a whole heap but for an item address beyond its end stands beside another of its
/// cnt.
live_heap* heap_window::find(std::size_t index, std::uint64_t cnt) noexcept {
    const std::span<const std::unique_ptr<live_heap>> places(&places_[index * window_], window_);
    const std::size_t oldest = substreams_[index].next;
    for (std::size_t i = oldest; i-- > 0;)
        if (places[i]->cnt() == cnt && !places[i]->empty()) return places[i].get();
    for (std::size_t i = window_; i-- > oldest;)
        if (places[i]->cnt() == cnt && !places[i]->empty()) return places[i].get();
    return nullptr;
}

heap_window::outcome heap_window::add_to(live_heap& existing, const packet& offered, arrival_time arrival,
                                         clock_source clock) {
    if (const auto reason = existing.check(offered)) return {.rejected = reason};
    const auto refused = existing.take(offered, arrival, clock);
    if (refused) return {.rejected = refused};
    recent_ = &existing;
    return {.place = &existing};
}

heap_window::outcome heap_window::start(std::size_t index, const packet& offered, arrival_time arrival,
                                        clock_source clock) {
    if (const auto reason = incoming_->check(offered)) return {.rejected = reason};
    std::size_t& next = substreams_[index].next;
    std::unique_ptr<live_heap>& place = places_[index * window_ + next];
    memory_.leaving_bytes = place->capacity_bytes();
    const auto refused = incoming_->take(offered, arrival, clock);
    memory_.leaving_bytes = 0;
    if (refused) {
        incoming_->clear();
        return {.rejected = refused};
    }
    if (!place->empty()) evicted_ = place->finish();
    std::swap(place, incoming_);
    next = next + 1 == window_ ? 0 : next + 1;
    recent_ = place.get();
    return {.place = recent_, .started = true};
}

}  // namespace verbcast
