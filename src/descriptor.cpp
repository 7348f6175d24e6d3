// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/descriptor.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <optional>

#include <verbcast/packet.hpp>

#include "src/heap_window.hpp"

namespace verbcast {
namespace {

using byte_span = std::span<const std::byte>;

/// Widths and flags of the records in a descriptor's FORMAT and SHAPE.
struct record_layout {
    std::size_t bits_bytes;  // FORMAT: after the character
    std::size_t size_bytes;  // SHAPE: after the flags
    std::byte variable_flag;
};

record_layout layout_of(std::size_t address_bytes, compatibility mask) {
    const bool old_widths = has(mask, compatibility::descriptor_widths);
    return {.bits_bytes = old_widths ? 3 : 8 - address_bytes,
            .size_bytes = old_widths ? 7 : address_bytes,
            .variable_flag = std::byte{has(mask, compatibility::shape_bit_1) ? std::uint8_t{2} : std::uint8_t{1}}};
}

std::uint64_t integer(byte_span big_endian) {
    std::uint64_t value = 0;
    for (const std::byte each : big_endian) value = value << 8 | std::to_integer<std::uint64_t>(each);
    return value;
}

std::vector<format_field> read_format(byte_span bytes, const record_layout& layout) {
    std::vector<format_field> fields;
    for (const std::size_t record = 1 + layout.bits_bytes; bytes.size() >= record; bytes = bytes.subspan(record))
        fields.push_back(
            {.character = std::to_integer<char>(bytes.front()), .bits = integer(bytes.subspan(1, layout.bits_bytes))});
    return fields;
}

std::vector<std::int64_t> read_shape(byte_span bytes, const record_layout& layout) {
    std::vector<std::int64_t> sizes;
    for (const std::size_t record = 1 + layout.size_bytes; bytes.size() >= record; bytes = bytes.subspan(record)) {
        const bool variable = (bytes.front() & layout.variable_flag) != std::byte{0};
        // At most 7 bytes: never negative.
        const auto size = static_cast<std::int64_t>(integer(bytes.subspan(1, layout.size_bytes)));
        sizes.push_back(variable ? descriptor::variable : size);
    }
    return sizes;
}

std::string read_string(byte_span bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The bytes of an item; those of an immediate stand right-aligned in `room`, as they do in its pointer.
byte_span bytes_of(const item& each, std::array<std::byte, 8>& room) {
    if (!each.immediate) return each.bytes;
    for (std::size_t i = 0; i < room.size(); ++i) room[7 - i] = static_cast<std::byte>(each.value >> (8 * i));
    return byte_span(room).last(each.length);
}

/// What the items of a finished heap say; of two items with one id the last. Nothing without an immediate ID, nor with
/// that of NULL, which no value can have.
std::optional<descriptor> read_descriptor(const heap& finished, compatibility mask) {
    const record_layout layout = layout_of(finished.address_bits() / 8, mask);
    descriptor out;
    for (const item& each : finished.items()) {
        std::array<std::byte, 8> room;
        const byte_span bytes = bytes_of(each, room);
        switch (each.id) {
        case item_id::id:
            if (each.immediate) out.id = each.value;
            break;
        case item_id::name: out.name = read_string(bytes); break;
        case item_id::description: out.description = read_string(bytes); break;
        case item_id::shape: out.shape = read_shape(bytes, layout); break;
        case item_id::format: out.format = read_format(bytes, layout); break;
        case item_id::dtype: out.numpy_header = read_string(bytes); break;
        default: break;  // a descriptor in a descriptor too
        }
    }
    if (out.id == item_id::null) return std::nullopt;
    return out;
}

/// A stream of one substream with one live heap, whose heaps are descriptors. Nothing in `bytes` can claim more memory
/// than they are long.
live_heap_rules rules_within(byte_span bytes) {
    return {.heap_bytes_max = bytes.size(),
            .live_bytes_max = bytes.size(),
            .heap_pointers_max = bytes.size(),
            .heap_ranges_max = 1,
            .memory = {std::shared_ptr<void>(), std::pmr::new_delete_resource()}};
}

}  // namespace

std::vector<descriptor> decode_descriptors(std::span<const std::byte> bytes, compatibility mask, std::size_t& dropped) {
    std::vector<descriptor> found;
    const auto finish = [&](const heap& finished) {
        std::optional<descriptor> read;
        if (finished.status() != heap_status::incomplete) read = read_descriptor(finished, mask);
        if (read)
            found.push_back(std::move(*read));
        else
            ++dropped;
    };

    heap_window window(1, 1, rules_within(bytes));
    while (!bytes.empty()) {
        packet next;
        if (decode_packet(bytes, next)) {
            ++dropped;
            break;
        }
        bytes = bytes.subspan(next.bytes);
        const heap_window::outcome taken = window.add(next, arrival_time{}, clock_source::none);
        if (taken.rejected) {
            ++dropped;
            continue;
        }
        if (const heap_ref evicted = window.take_evicted()) finish(*evicted);
        if (!next.payload.empty())
            std::memcpy(taken.place->destination(next), next.payload.data(), next.payload.size());
        if (taken.place->complete()) finish(*taken.place->finish());
    }
    window.for_each_live([&](live_heap& rest) { finish(*rest.finish()); });
    return found;
}

}  // namespace verbcast
