// SPDX-License-Identifier: BSD-3-Clause
#include "heap_encoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <string_view>
#include <utility>

namespace verbcast::tools {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t pointer_bytes = 8;
constexpr std::size_t specials = 4;
constexpr std::size_t payload_unit = 8;

void append_big_endian(std::vector<std::byte>& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void append_text(std::vector<std::byte>& out, std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void write_header(std::vector<std::byte>& out, flavour kind, std::span<const item_pointer> first,
                  std::span<const item_pointer> second) {
    out.clear();
    append_big_endian(out, 0x5304, 2);
    append_big_endian(out, 8 - kind.address_bytes(), 1);
    append_big_endian(out, kind.address_bytes(), 1);
    append_big_endian(out, 0, 2);
    append_big_endian(out, first.size() + second.size(), 2);
    for (const item_pointer each : first) append_big_endian(out, each.raw(), pointer_bytes);
    for (const item_pointer each : second) append_big_endian(out, each.raw(), pointer_bytes);
}

}  // namespace

item_pointer immediate_pointer(flavour kind, std::uint64_t id, std::uint64_t value) noexcept {
    assert(id <= kind.id_max() && value <= kind.address_max());
    return item_pointer((std::uint64_t{1} << 63) | (id << kind.address_bits) | value);
}

item_pointer addressed_pointer(flavour kind, std::uint64_t id, std::uint64_t address) noexcept {
    assert(id <= kind.id_max() && address <= kind.address_max());
    return item_pointer((id << kind.address_bits) | address);
}

heap_encoder::heap_encoder(flavour kind, std::size_t packet_bytes_max, outgoing_heap heap)
    : kind_(kind), packet_bytes_(packet_bytes_max / payload_unit * payload_unit),
      room_((packet_bytes_ - header_bytes - payload_unit) / pointer_bytes - specials), heap_(std::move(heap)) {
    assert(packet_bytes_max >= packet_bytes_min);
    if (heap_.payload.size() < payload_needed(heap_.pointers.size())) pad();
}

/// Pointers need packets, and those need payload: whole units in all but the last, and a byte in that.
std::uint64_t heap_encoder::payload_needed(std::size_t pointers) const noexcept {
    const std::size_t packets = std::max<std::size_t>((pointers + room_ - 1) / room_, 1);
    return (packets - 1) * payload_unit + 1;
}

void heap_encoder::pad() {
    heap_.pointers.push_back(addressed_pointer(kind_, item_id::null, heap_.payload.size()));
    padded_.assign(heap_.payload.begin(), heap_.payload.end());
    padded_.resize(std::max<std::uint64_t>(payload_needed(heap_.pointers.size()), padded_.size() + 1));
    heap_.payload = padded_;
}

void heap_encoder::next(outgoing_packet& out) {
    assert(!done());
    const std::span<const item_pointer> pointers = heap_.pointers;
    const auto here = pointers.subspan(pointers_written_, std::min(pointers.size() - pointers_written_, room_));
    pointers_written_ += here.size();

    const std::uint64_t left = heap_.payload.size() - offset_;
    std::uint64_t bytes =
        std::min<std::uint64_t>(packet_bytes_ - header_bytes - (specials + here.size()) * pointer_bytes, left);
    if (const std::size_t later = pointers.size() - pointers_written_; later > 0)
        bytes = std::min(bytes, (left - payload_needed(later)) / payload_unit * payload_unit);

    const std::array<item_pointer, specials> special{
        immediate_pointer(kind_, item_id::heap_cnt, heap_.cnt),
        immediate_pointer(kind_, item_id::heap_length, heap_.payload.size()),
        immediate_pointer(kind_, item_id::payload_offset, offset_),
        immediate_pointer(kind_, item_id::payload_length, bytes),
    };
    write_header(out.header, kind_, special, here);
    out.payload = heap_.payload.subspan(offset_, bytes);
    offset_ += bytes;
}

outgoing_heap stop_heap(flavour kind, std::uint64_t cnt) {
    const auto stop = static_cast<std::uint64_t>(stream_control::stop);
    return {.cnt = cnt, .pointers = {immediate_pointer(kind, item_id::stream_control, stop)}, .payload = {}};
}

std::vector<std::byte> encode_descriptor(flavour kind, const descriptor& about) {
    std::vector<std::byte> payload;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> items;  // id, address
    const auto begin_item = [&](std::uint64_t id) { items.emplace_back(id, payload.size()); };
    begin_item(item_id::name);
    append_text(payload, about.name);
    begin_item(item_id::description);
    append_text(payload, about.description);
    begin_item(item_id::format);
    for (const format_field& each : about.format) {
        append_text(payload, std::string_view(&each.character, 1));
        append_big_endian(payload, each.bits, 8 - kind.address_bytes());
    }
    begin_item(item_id::shape);
    for (const std::int64_t size : about.shape) {
        append_big_endian(payload, size == descriptor::variable ? 1 : 0, 1);
        append_big_endian(payload, size == descriptor::variable ? 0 : static_cast<std::uint64_t>(size),
                          kind.address_bytes());
    }
    begin_item(item_id::dtype);
    append_text(payload, about.numpy_header);

    if (payload.size() >= kind.address_max() || about.id > kind.address_max()) return {};
    constexpr std::size_t whole = 65536;  // no datagram: as long as it needs to be
    std::vector<item_pointer> pointers{immediate_pointer(kind, item_id::id, about.id)};
    for (const auto& [id, address] : items) pointers.push_back(addressed_pointer(kind, id, address));
    outgoing_packet packet;
    heap_encoder(kind, whole, {.cnt = 1, .pointers = std::move(pointers), .payload = payload}).next(packet);
    packet.header.insert(packet.header.end(), packet.payload.begin(), packet.payload.end());
    return std::move(packet.header);
}

}  // namespace verbcast::tools
