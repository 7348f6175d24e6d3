// SPDX-License-Identifier: BSD-3-Clause
#include "src/live_heap.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "src/heap_memory.hpp"

namespace verbcast {

live_heap::live_heap(const live_heap_rules& rules, live_memory& memory, std::pmr::memory_resource* range_nodes)
    : rules_(&rules), memory_(&memory), ranges_(range_nodes) {}

live_heap::~live_heap() { clear(); }

std::optional<reject_reason> live_heap::check(const packet& offered) const noexcept {
    const bool sized = offered.heap_length != packet::length_unknown;
    if (!sized && !rules_->allow_unsized) return reject_reason::unsized;
    if (!empty()) {
        if (sized && length_ != packet::length_unknown && offered.heap_length != length_)
            return reject_reason::length_differs;
        if (offered.heap_length < claimed_bytes_) return reject_reason::length_too_small;
        if (offered.address_bits != address_bits_) return reject_reason::widths_differ;
    }
    const std::uint64_t payload_end = offered.payload_offset + offered.payload.size();
    const std::uint64_t claim = std::max({sized ? offered.heap_length : 0, payload_end, offered.address_max});
    if (claim > rules_->heap_bytes_max) return reject_reason::heap_too_large;
    return rules_->out_of_order ? std::nullopt : check_order(offered);
}

std::optional<reject_reason> live_heap::check_order(const packet& offered) const noexcept {
    if (offered.payload_offset == received_bytes_) return std::nullopt;
    if (empty()) return reject_reason::start_missing;
    if (offered.payload_offset > received_bytes_) return reject_reason::out_of_sequence;
    const bool seen = offered.payload_offset + offered.payload.size() <= received_bytes_;
    return seen ? reject_reason::duplicate : reject_reason::overlap;
}

std::optional<reject_reason> live_heap::take(const packet& offered, arrival_time arrival, clock_source clock) {
    assert(!check(offered));
    const std::uint64_t payload_end = offered.payload_offset + offered.payload.size();
    const std::uint64_t length = std::min(length_, offered.heap_length);
    if (payload_end > capacity_bytes_ && !reserve(payload_end, length)) return reject_reason::live_bytes_full;
    const std::size_t pointers_before = pointers_.pointers().size();
    if (offered.items > 0 && !pointers_.add(offered, rules_->heap_pointers_max))
        return reject_reason::too_many_pointers;
    if (rules_->out_of_order) {
        const auto refused = ranges_.add(offered.payload_offset, payload_end, rules_->heap_ranges_max);
        if (refused) {
            pointers_.take_back_to(pointers_before);
            return refused;
        }
    }
    if (packets_++ == 0) {
        cnt_ = offered.heap_cnt;
        address_bits_ = offered.address_bits;
        first_arrival_ = arrival;
        clock_ = clock;
    }
    last_arrival_ = arrival;
    length_ = length;
    claimed_bytes_ = std::max({claimed_bytes_, payload_end, offered.address_max});
    payload_bytes_ = std::max(payload_bytes_, payload_end);
    received_bytes_ += offered.payload.size();
    return std::nullopt;
}

heap_status live_heap::status() const noexcept {
    if (complete()) return heap_status::complete;
    const std::uint64_t extent = length_ == packet::length_unknown ? claimed_bytes_ : std::max(length_, claimed_bytes_);
    return received_bytes_ == extent ? heap_status::contiguous : heap_status::incomplete;
}

/// Makes room for payload up to `payload_end`: all that a trusted length asks for at once, else twice as much each
/// time.
bool live_heap::reserve(std::uint64_t payload_end, std::uint64_t length) {
    const std::uint64_t others_bytes = memory_->bytes - capacity_bytes_ - memory_->leaving_bytes;
    const std::uint64_t allowed = rules_->live_bytes_max - std::min(rules_->live_bytes_max, others_bytes);
    if (payload_end > allowed) return false;
    const std::uint64_t limit = length == packet::length_unknown ? rules_->heap_bytes_max : length;
    const std::uint64_t wish = std::min(limit, std::max(memory_->trusted_bytes, 2 * capacity_bytes_));
    grow_to(std::min(allowed, std::max(payload_end, wish)));
    return true;
}

void live_heap::grow_to(std::uint64_t bytes) {
    auto* const grown = static_cast<std::byte*>(rules_->memory->allocate(bytes, payload_alignment));
    if (payload_) {
        std::memcpy(grown, payload_, payload_bytes_);
        rules_->memory->deallocate(payload_, capacity_bytes_, payload_alignment);
    }
    memory_->bytes += bytes - capacity_bytes_;
    payload_ = grown;
    capacity_bytes_ = bytes;
}

heap_ref live_heap::finish() {
    struct destroy {
        void operator()(heap* unfinished) const noexcept { delete unfinished; }
    };
    std::unique_ptr<heap, destroy> made(new heap);
    made->cnt_ = cnt_;
    made->status_ = status();
    made->address_bits_ = address_bits_;
    made->compatibility_ = rules_->compat;
    if (length_ != packet::length_unknown) made->length_ = length_;
    made->payload_bytes_ = payload_bytes_;
    made->received_bytes_ = received_bytes_;
    made->packets_ = packets_;
    made->clock_ = clock_;
    made->first_arrival_ = first_arrival_;
    made->last_arrival_ = last_arrival_;
    if (rules_->out_of_order) {
        made->ranges_.reserve(ranges_.ranges().size());
        for (const auto& [first, end] : ranges_.ranges())
            if (first != end) made->ranges_.push_back({first, end});
    } else if (received_bytes_ > 0) {
        made->ranges_.push_back({0, received_bytes_});
    }
    add_items(*made);
    if (made->status_ == heap_status::complete)
        memory_->trusted_bytes = std::max(memory_->trusted_bytes, payload_bytes_);

    made->memory_ = rules_->memory;
    made->payload_ = std::exchange(payload_, nullptr);
    made->capacity_bytes_ = static_cast<std::size_t>(capacity_bytes_);
    memory_->bytes -= std::exchange(capacity_bytes_, 0);
    clear();
    return heap_ref(made.release());
}

void live_heap::add_items(heap& finished) const {
    const unsigned bits = address_bits_;
    std::vector<item_pointer> sorted(pointers_.pointers().begin(), pointers_.pointers().end());
    // Addressed before immediate, then by address or value; equal ones stay in their order of arrival.
    std::stable_sort(sorted.begin(), sorted.end(), [bits](item_pointer a, item_pointer b) {
        if (a.immediate() != b.immediate()) return b.immediate();
        return a.value(bits) < b.value(bits);
    });
    finished.items_.reserve(sorted.size());
    const bool addressed_known = finished.status_ != heap_status::incomplete;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const item_pointer pointer = sorted[i];
        if (pointer.id(bits) == item_id::null) continue;
        if (pointer.immediate()) {
            finished.items_.push_back({.id = pointer.id(bits),
                                       .immediate = true,
                                       .value = pointer.value(bits),
                                       .bytes = {},
                                       .length = bits / 8});
        } else if (addressed_known) {
            const bool last = i + 1 == sorted.size() || sorted[i + 1].immediate();
            const std::uint64_t end = last ? payload_bytes_ : sorted[i + 1].value(bits);
            const std::uint64_t length = end - pointer.value(bits);
            if (length > 0)
                finished.items_.push_back({.id = pointer.id(bits),
                                           .immediate = false,
                                           .value = 0,
                                           .bytes = {payload_ + pointer.value(bits), length},
                                           .length = length});
        }
    }
}

void live_heap::clear() noexcept {
    if (payload_) rules_->memory->deallocate(payload_, capacity_bytes_, payload_alignment);
    memory_->bytes -= capacity_bytes_;
    payload_ = nullptr;
    capacity_bytes_ = 0;
    cnt_ = 0;
    length_ = packet::length_unknown;
    claimed_bytes_ = received_bytes_ = payload_bytes_ = packets_ = header_id = 0;
    pointers_.clear();
    ranges_.clear();
}

}  // namespace verbcast
