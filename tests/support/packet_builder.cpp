// SPDX-License-Identifier: BSD-3-Clause
#include "support/packet_builder.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <utility>

namespace verbcast::test {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t pointer_bytes = 8;

void append(bytes& to, const bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

std::size_t divide_up(std::size_t count, std::size_t by) { return (count + by - 1) / by; }

/// The bytes of a packet that pointers of items and payload share.
std::size_t shared_bytes(const split_options& options) {
    const std::size_t specials = options.say_length ? 4 : 3;
    const std::size_t taken = header_bytes + specials * pointer_bytes;
    const std::size_t packet_bytes = options.packet_bytes_max / 8 * 8;
    if (packet_bytes < taken + pointer_bytes + 8) throw std::invalid_argument("packet_bytes_max: no room for an item");
    return packet_bytes - taken;
}

/// What the payload is padded to, so that each packet with pointers carries some of it.
std::size_t payload_bytes_min(std::size_t pointers, std::size_t pointers_max) {
    const std::size_t packets = std::max<std::size_t>(1, divide_up(pointers, pointers_max));
    return (packets - 1) * 8 + 1;
}

void reorder(std::vector<wire_packet>& packets, const split_options& options) {
    switch (options.order) {
    case packet_order::as_sent: break;
    case packet_order::reversed: std::reverse(packets.begin(), packets.end()); break;
    case packet_order::shuffled: std::shuffle(packets.begin(), packets.end(), std::mt19937_64(options.seed)); break;
    }
}

}  // namespace

bytes pattern(std::size_t count, std::uint64_t seed) {
    bytes out(count);
    std::uint64_t state = seed;
    for (std::byte& each : out) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        each = static_cast<std::byte>(state >> 56);
    }
    return out;
}

bytes zeros(std::size_t count) { return bytes(count); }

bytes from_text(std::string_view text) {
    bytes out;
    for (const char each : text) out.push_back(static_cast<std::byte>(each));
    return out;
}

bytes from_octets(std::initializer_list<unsigned> octets) {
    bytes out;
    for (const unsigned each : octets) out.push_back(static_cast<std::byte>(each));
    return out;
}

bytes from_integer(std::uint64_t value, std::size_t width) {
    bytes out(width);
    for (std::size_t i = 0; i < std::min<std::size_t>(width, 8); ++i)
        out[width - 1 - i] = static_cast<std::byte>(value >> (8 * i));
    return out;
}

bytes join(const std::vector<bytes>& parts) {
    bytes out;
    for (const bytes& each : parts) append(out, each);
    return out;
}

std::uint64_t wire_item::encode(unsigned address_bits) const {
    const std::uint64_t id_mask = (std::uint64_t{1} << (63 - address_bits)) - 1;
    const std::uint64_t value_mask = (std::uint64_t{1} << address_bits) - 1;
    return (std::uint64_t{immediate} << 63) | ((id & id_mask) << address_bits) | (value & value_mask);
}

wire_item immediate(std::uint64_t id, std::uint64_t value) { return {id, true, value}; }

wire_item addressed(std::uint64_t id, std::uint64_t address) { return {id, false, address}; }

bytes raw_packet::encode() const {
    const std::size_t count = pointer_count ? *pointer_count : pointers.size();
    bytes out = from_octets({magic, version, item_id_width, address_width});
    append(out, from_integer(reserved, 2));
    append(out, from_integer(count, 2));
    for (const std::uint64_t each : pointers) append(out, from_integer(each, pointer_bytes));
    append(out, payload);
    return out;
}

raw_packet wire_packet::raw() const {
    std::vector<wire_item> all{immediate(1, heap_cnt)};
    if (heap_length) all.push_back(immediate(2, *heap_length));
    all.push_back(immediate(3, payload_offset));
    all.push_back(immediate(4, payload.size()));
    all.insert(all.end(), items.begin(), items.end());

    raw_packet out{.item_id_width = static_cast<std::uint8_t>(8 - address_bits / 8),
                   .address_width = static_cast<std::uint8_t>(address_bits / 8),
                   .payload = payload};
    for (const wire_item& each : all) out.pointers.push_back(each.encode(address_bits));
    return out;
}

std::vector<bytes> encode(const std::vector<wire_packet>& packets) {
    std::vector<bytes> out;
    for (const wire_packet& each : packets) out.push_back(each.encode());
    return out;
}

wire_packet stop_packet(std::uint64_t heap_cnt, unsigned address_bits) {
    return {.address_bits = address_bits,
            .heap_cnt = heap_cnt,
            .heap_length = 1,
            .items = {immediate(6, 2), addressed(0, 0)},
            .payload = zeros(1)};
}

std::vector<wire_item> wire_heap::items() const {
    std::vector<wire_item> out;
    std::uint64_t address = 0;
    for (const wire_value& each : values) {
        out.push_back(addressed(each.id, address));
        address += each.value.size();
    }
    out.insert(out.end(), immediates.begin(), immediates.end());
    return out;
}

bytes wire_heap::payload() const {
    bytes out;
    for (const wire_value& each : values) append(out, each.value);
    return out;
}

std::vector<wire_packet> wire_heap::split(const split_options& options) const {
    const std::size_t room = shared_bytes(options);
    const std::size_t pointers_max = (room - 8) / pointer_bytes;
    std::vector<wire_item> pointers = items();
    bytes whole = payload();

    // The NULL pointer is one more pointer, and may be what asks for one more packet.
    if (options.pad && whole.size() < payload_bytes_min(pointers.size(), pointers_max)) {
        pointers.push_back(addressed(0, whole.size()));
        whole.resize(payload_bytes_min(pointers.size(), pointers_max));
    }
    if (options.repeat_pointers && pointers.size() > pointers_max)
        throw std::invalid_argument("packet_bytes_max: no room to repeat all pointers");

    std::vector<wire_packet> out;
    std::size_t sent = 0;
    std::size_t said = 0;
    do {
        wire_packet next{.address_bits = address_bits, .heap_cnt = cnt, .payload_offset = sent};
        if (options.say_length) next.heap_length = whole.size();
        const std::size_t first = options.repeat_pointers ? 0 : said;
        const std::size_t count = std::min(pointers.size() - first, pointers_max);
        next.items.assign(pointers.begin() + static_cast<std::ptrdiff_t>(first),
                          pointers.begin() + static_cast<std::ptrdiff_t>(first + count));
        const std::size_t length = std::min(whole.size() - sent, room - count * pointer_bytes);
        next.payload.assign(whole.begin() + static_cast<std::ptrdiff_t>(sent),
                            whole.begin() + static_cast<std::ptrdiff_t>(sent + length));
        said = first + count;
        sent += length;
        out.push_back(std::move(next));
    } while (sent < whole.size() || said < pointers.size());
    reorder(out, options);
    return out;
}

}  // namespace verbcast::test
