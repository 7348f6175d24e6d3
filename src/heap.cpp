// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/heap.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>

#include <verbcast/packet.hpp>

#include "src/heap_memory.hpp"

namespace verbcast {
namespace {

/// The value of a STREAM_CTRL item, when it can be one.
std::optional<std::uint64_t> control_value(const item& each) noexcept {
    if (each.id != item_id::stream_control) return std::nullopt;
    if (each.immediate) return each.value;
    if (each.bytes.empty() || each.bytes.size() > sizeof(std::uint64_t)) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::byte byte : each.bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
}

bool has_control(std::span<const item> items, stream_control wanted) noexcept {
    return std::any_of(items.begin(), items.end(), [wanted](const item& each) {
        return control_value(each) == static_cast<std::uint64_t>(wanted);
    });
}

}  // namespace

heap::~heap() {
    if (payload_) memory_->deallocate(payload_, capacity_bytes_, payload_alignment);
}

std::vector<descriptor> heap::descriptors() const {
    std::vector<descriptor> all;
    std::size_t dropped = 0;
    for (const item& each : items_) {
        if (each.id != item_id::descriptor || each.immediate) continue;
        std::vector<descriptor> found = decode_descriptors(each.bytes, compatibility_, dropped);
        all.insert(all.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    }
    return all;
}

bool heap::is_start() const noexcept { return has_control(items_, stream_control::start); }
bool heap::is_stop() const noexcept { return has_control(items_, stream_control::stop); }

void heap::retain() const noexcept {
    // Relaxed: whoever copies a reference holds one, and handing it to another thread is what orders the two.
    references_.fetch_add(1, std::memory_order_relaxed);
}

void heap::release() const noexcept {
    // Release: what this thread read is read before another thread frees it. Acquire: the one that frees comes after
    // all.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool heap::has_one_reference() const noexcept {
    // Acquire: pairs with the release of the reference that went before, so that its holder's reads are over.
    return references_.load(std::memory_order_acquire) == 1;
}

heap* heap::copy() const {
    struct destroy {
        void operator()(heap* unfinished) const noexcept { delete unfinished; }
    };
    std::unique_ptr<heap, destroy> made(new heap);
    made->memory_ = memory_;
    if (payload_bytes_ > 0) {
        const auto bytes = static_cast<std::size_t>(payload_bytes_);
        made->payload_ = static_cast<std::byte*>(memory_->allocate(bytes, payload_alignment));
        made->capacity_bytes_ = bytes;
        std::memcpy(made->payload_, payload_, bytes);
    }
    made->address_bits_ = address_bits_;
    made->status_ = status_;
    made->clock_ = clock_;
    made->compatibility_ = compatibility_;
    made->cnt_ = cnt_;
    made->payload_bytes_ = payload_bytes_;
    made->received_bytes_ = received_bytes_;
    made->packets_ = packets_;
    made->length_ = length_;
    made->first_arrival_ = first_arrival_;
    made->last_arrival_ = last_arrival_;
    made->ranges_ = ranges_;
    made->items_ = items_;
    for (item& each : made->items_)
        if (!each.bytes.empty()) each.bytes = {made->payload_ + (each.bytes.data() - payload_), each.bytes.size()};
    return made.release();
}

std::span<std::byte> writable_heap::payload() noexcept {
    auto& alone = const_cast<heap&>(*shared_);  // the only reference, to an object that was made non-const
    return {alone.payload_, static_cast<std::size_t>(alone.payload_bytes_)};
}

std::span<std::byte> writable_heap::item_bytes(std::size_t index) noexcept {
    assert(index < shared_->items().size());
    const item& chosen = shared_->items()[index];
    if (chosen.bytes.empty()) return {};
    const std::span<std::byte> all = payload();
    return all.subspan(static_cast<std::size_t>(chosen.bytes.data() - all.data()), chosen.bytes.size());
}

writable_heap make_writable(heap_ref&& shared) {
    assert(shared && "make_writable() of an empty reference");
    if (!shared.heap_->has_one_reference()) shared = heap_ref(shared.heap_->copy());
    return writable_heap(std::move(shared));
}

}  // namespace verbcast
