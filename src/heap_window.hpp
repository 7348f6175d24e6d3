// SPDX-License-Identifier: BSD-3-Clause
/// The live heaps of a stream: a circular window of places for each substream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include <verbcast/account.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/packet.hpp>

#include "src/live_heap.hpp"
#include "src/modulo.hpp"

namespace verbcast {

/// Every new heap takes the next place of its substream's window, and evicts the unfinished heap that is there.
/// Used under the stream's lock.
class heap_window {
public:
    heap_window(std::size_t heaps_live_max, std::size_t substreams, live_heap_rules rules);

    /// What became of a packet. The caller hands on the heap that was evicted, puts the payload where it belongs, and
    /// hands on the heap in `place` when it is complete.
    struct outcome {
        std::optional<reject_reason> rejected = {};
        live_heap* place = nullptr;
        bool started = false;  ///< the heap is new
    };
    outcome add(const packet& offered, arrival_time arrival, clock_source clock);

    /// The heap that made way for the one that was started last, once.
    heap_ref take_evicted() noexcept { return std::exchange(evicted_, {}); }

    /// The place of the heap that took the last packet that was looked up.
    live_heap& recent() noexcept { return *recent_; }

    /// Calls `visit(live_heap&)` for each heap that is being built: substream by substream, oldest first.
    template <class Visitor>
    void for_each_live(Visitor visit);

private:
    struct substream {
        std::size_t next = 0;  // the place the next new heap takes
    };

    live_heap* find(std::size_t index, std::uint64_t cnt) noexcept;
    outcome add_to(live_heap& existing, const packet& offered, arrival_time arrival, clock_source clock);
    outcome start(std::size_t index, const packet& offered, arrival_time arrival, clock_source clock);

    const live_heap_rules rules_;
    live_memory memory_;
    const std::size_t window_;
    const modulo substream_of_;
    std::pmr::unsynchronized_pool_resource range_nodes_;
    std::vector<std::unique_ptr<live_heap>> places_;  // window_ for each substream
    std::unique_ptr<live_heap> incoming_;             // where a new heap proves itself before it evicts another
    std::vector<substream> substreams_;
    live_heap* recent_;
    heap_ref evicted_;
};

template <class Visitor>
void heap_window::for_each_live(Visitor visit) {
    for (std::size_t i = 0; i < substreams_.size(); ++i) {
        for (std::size_t age = 0; age < window_; ++age) {
            live_heap& each = *places_[i * window_ + (substreams_[i].next + age) % window_];
            if (!each.empty()) visit(each);
        }
    }
}

}  // namespace verbcast
