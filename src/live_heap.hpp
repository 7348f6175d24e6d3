// SPDX-License-Identifier: BSD-3-Clause
/// A heap that is being built from packets. The rules: SPEAD, "From packets to heaps".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>

#include <verbcast/heap.hpp>
#include <verbcast/packet.hpp>

#include "src/pointer_table.hpp"
#include "src/range_set.hpp"

namespace verbcast {

/// What all live heaps of a stream have in common.
struct live_heap_rules {
    bool out_of_order = false;
    bool allow_unsized = true;
    compatibility compat = compatibility::none;
    std::uint64_t heap_bytes_max = 0;
    std::uint64_t live_bytes_max = 0;
    std::size_t heap_pointers_max = 0;
    std::size_t heap_ranges_max = 0;
    std::shared_ptr<std::pmr::memory_resource> memory;
};

/// Payload memory of all live heaps of a stream.
struct live_memory {
    std::uint64_t bytes = 0;
    /// Of these, what the heap holds that makes way when the one that asks for memory now is accepted.
    std::uint64_t leaving_bytes = 0;
    /// As long as the longest heap that was completed: what a heap that claims as much is given at once. Until a sender
    /// has shown that it means what it claims, memory follows the payload that came.
    std::uint64_t trusted_bytes = 64 * 1024;
};

/// A place for a live heap: empty, or building one. Used by one thread at a time, under the stream's lock.
class live_heap {
public:
    live_heap(const live_heap_rules& rules, live_memory& memory, std::pmr::memory_resource* range_nodes);
    ~live_heap();
    live_heap(const live_heap&) = delete;
    live_heap& operator=(const live_heap&) = delete;

    bool empty() const noexcept { return packets_ == 0; }
    std::uint64_t cnt() const noexcept { return cnt_; }
    std::uint64_t packets() const noexcept { return packets_; }
    std::uint64_t capacity_bytes() const noexcept { return capacity_bytes_; }

    /// Why the packet may not be added, or may not start a heap where this is empty. Changes nothing.
    std::optional<reject_reason> check(const packet& offered) const noexcept;

    /// Takes a packet whose header, HEAP_CNT and PAYLOAD_OFFSET aside, is the one that header_id stands for: so all
    /// that is left to see is that it goes on where the last one ended, and has room. False, with nothing changed,
    /// otherwise.
    bool take_repeat(const packet& offered, arrival_time arrival) noexcept {
        const std::uint64_t payload_end = offered.payload_offset + offered.payload.size();
        if (payload_end > capacity_bytes_ || offered.payload.empty()) return false;
        if (rules_->out_of_order ? !ranges_.add_behind_last(offered.payload_offset, payload_end)
                                 : offered.payload_offset != received_bytes_)
            return false;
        ++packets_;
        last_arrival_ = arrival;
        received_bytes_ += offered.payload.size();
        payload_bytes_ = std::max(payload_bytes_, payload_end);
        claimed_bytes_ = std::max(claimed_bytes_, payload_end);
        return true;
    }

    /// Takes a packet that check() has nothing against, unless it exceeds a bound of memory, pointers or ranges; says
    /// why not if it does not: an empty place must then be cleared. `arrival` may be zero. Throws what the memory
    /// resource throws.
    std::optional<reject_reason> take(const packet& offered, arrival_time arrival, clock_source clock);

    /// Where the payload of a packet that was taken belongs.
    std::byte* destination(const packet& taken) const noexcept { return payload_ + taken.payload_offset; }

    /// All of it is there: see heap_status::complete.
    bool complete() const noexcept { return received_bytes_ == length_ && claimed_bytes_ <= length_; }
    heap_status status() const noexcept;
    /// An item address, or a payload of a packet without HEAP_LENGTH, lies beyond its end: no packet that says this
    /// length is taken any more.
    bool exceeds_length() const noexcept { return claimed_bytes_ > length_; }

    /// Hands the heap over and leaves the place empty.
    heap_ref finish();
    void clear() noexcept;

    /// When its last packet came, on the clock of the stream's timers.
    std::int64_t last_active_ticks = 0;
    /// header_memo::id() of the header that was taken last, if packets with it are still taken; else 0.
    std::uint64_t header_id = 0;

private:
    std::optional<reject_reason> check_order(const packet& offered) const noexcept;
    bool reserve(std::uint64_t payload_end, std::uint64_t length);
    void grow_to(std::uint64_t bytes);
    void add_items(heap& finished) const;

    const live_heap_rules* rules_;
    live_memory* memory_;
    std::uint64_t cnt_ = 0;
    std::uint64_t length_ = packet::length_unknown;
    std::uint64_t claimed_bytes_ = 0;  // furthest item address or payload end
    std::uint64_t received_bytes_ = 0;
    std::uint64_t payload_bytes_ = 0;  // furthest payload end
    std::uint64_t packets_ = 0;
    std::uint8_t address_bits_ = 0;
    clock_source clock_ = clock_source::none;
    arrival_time first_arrival_{};
    arrival_time last_arrival_{};
    std::byte* payload_ = nullptr;
    std::uint64_t capacity_bytes_ = 0;
    pointer_table pointers_;
    range_set ranges_;
};

}  // namespace verbcast
