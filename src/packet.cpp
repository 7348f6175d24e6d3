// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/packet.hpp>

#include <algorithm>
#include <cstring>

#include "src/byte_order.hpp"

namespace verbcast {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t pointer_bytes = 8;
constexpr std::uint32_t magic_and_version_wire = 0x0453;
constexpr std::uint32_t specials_count = item_id::payload_length;  // ids 1 to 4

constexpr unsigned bit_of(std::uint64_t id) { return 1U << id; }
constexpr unsigned required_specials =
    bit_of(item_id::heap_cnt) | bit_of(item_id::payload_offset) | bit_of(item_id::payload_length);
constexpr unsigned all_specials = required_specials | bit_of(item_id::heap_length);

/// What packets with one width of heap addresses have in common.
struct packet_format {
    constexpr packet_format() = default;  // that of no packet
    constexpr explicit packet_format(std::uint32_t address_bytes)
        : start_wire(magic_and_version_wire | (8 - address_bytes) << 16 | address_bytes << 24),
          address_bits(static_cast<std::uint8_t>(8 * address_bytes)),
          value_mask((std::uint64_t{1} << address_bits) - 1),
          stop(immediate(item_id::stream_control) | static_cast<std::uint64_t>(stream_control::stop)),
          low_ids_end(std::uint64_t{2} * (specials_count + 1) << address_bits) {
        for (std::uint64_t id = 1; id <= specials_count; ++id) special[id - 1] = immediate(id);
    }

    constexpr std::uint64_t immediate(std::uint64_t id) const noexcept {
        return std::uint64_t{1} << 63 | id << address_bits;
    }
    /// Of NULL and of what is no item, in either mode: doubled, a pointer has lost its mode.
    constexpr bool has_low_id(std::uint64_t raw) const noexcept { return 2 * raw < low_ids_end; }

    std::uint32_t start_wire = ~std::uint32_t{0};  ///< magic, version and widths as they stand in a packet
    std::uint8_t address_bits = 0;
    std::uint64_t value_mask = 0;
    std::uint64_t stop = 0;                      ///< the immediate STREAM_CTRL that says so
    std::uint64_t special[specials_count] = {};  ///< immediates with the ids 1 to 4 and the value 0
    std::uint64_t low_ids_end = 0;
};
constexpr packet_format formats[] = {packet_format(),  packet_format(1), packet_format(2), packet_format(3),
                                     packet_format(4), packet_format(5), packet_format(6), packet_format(7)};

void set_payload_length(packet& out, std::uint64_t length) noexcept {
    out.payload = {out.payload.data(), static_cast<std::size_t>(length)};
}

/// Senders put the four specials first, in the order of their ids. Takes them in one go; false when they are not there,
/// and then what it wrote means nothing.
inline bool take_usual_start(const std::byte* at, const packet_format& format, packet& out) noexcept {
    // The value alone, where the id is the one that is expected.
    const auto value = [&](std::uint64_t id) {
        return load_big_endian(at + (id - 1) * pointer_bytes) ^ format.special[id - 1];
    };
    out.heap_cnt = value(item_id::heap_cnt);
    out.heap_length = value(item_id::heap_length);
    out.payload_offset = value(item_id::payload_offset);
    const std::uint64_t payload_length = value(item_id::payload_length);
    set_payload_length(out, payload_length);
    return (out.heap_cnt | out.heap_length | out.payload_offset | payload_length) <= format.value_mask;
}

/// Takes items as long as there are such: up to the end, or to a pointer with a low id, which it returns.
inline const std::byte* take_items(const std::byte* at, const std::byte* end, const packet_format& format,
                                   packet& out) noexcept {
    for (; at != end; at += pointer_bytes) {
        const std::uint64_t raw = load_big_endian(at);
        if (format.has_low_id(raw)) return at;
        if (!item_pointer(raw).immediate())
            out.address_max = std::max(out.address_max, raw & format.value_mask);
        else if (raw == format.stop)
            out.stops = true;
    }
    return end;
}

/// A pointer with an id from 0 to 4 in any place; of a special that appears twice the last one wins. Returns the bit of
/// an immediate special.
unsigned take_low_id(std::uint64_t raw, const packet_format& format, packet& out) noexcept {
    const std::uint64_t value = raw & format.value_mask;
    const std::uint64_t id = item_pointer(raw).id(format.address_bits);
    if (id != item_id::null) --out.items;
    if (!item_pointer(raw).immediate()) {
        out.address_max = std::max(out.address_max, value);
        return 0;
    }
    switch (id) {
    case item_id::null: return 0;
    case item_id::heap_cnt: out.heap_cnt = value; break;
    case item_id::heap_length: out.heap_length = value; break;
    case item_id::payload_offset: out.payload_offset = value; break;
    default: set_payload_length(out, value); break;
    }
    return bit_of(id);
}

/// What may follow a packet.
enum class behind : std::uint8_t { nothing, anything };

/// What the lengths say that the pointers gave. `room_bytes` are left for the payload.
inline std::optional<reject_reason> judge(std::size_t room_bytes, behind allowed, const packet& found) noexcept {
    if (found.payload.size() > room_bytes) return reject_reason::payload_cut;
    // Both are below 2^56: the sum does not overflow. No sum is beyond a length that is not known.
    if (found.payload_offset + found.payload.size() > found.heap_length) return reject_reason::beyond_heap_length;
    if (allowed == behind::nothing && found.payload.size() != room_bytes) return reject_reason::trailing_bytes;
    return std::nullopt;
}

/// Goes on at a pointer that has no place in the usual order, or finds why to refuse the packet. Not inlined: it would
/// take the registers of the usual case.
[[gnu::noinline]] std::optional<reject_reason> decode_unusual(std::size_t room_bytes, behind allowed,
                                                              const std::byte* at, const packet_format& format,
                                                              packet& out) noexcept {
    const std::byte* const end = out.payload.data();
    unsigned seen = all_specials;
    if (at == out.pointers.data()) {
        seen = 0;
        out.heap_length = packet::length_unknown;
    }
    while ((at = take_items(at, end, format, out)) != end) {
        seen |= take_low_id(load_big_endian(at), format, out);
        at += pointer_bytes;
    }
    if ((seen & required_specials) != required_specials) return reject_reason::special_missing;
    out.bytes = header_bytes + out.pointers.size() + out.payload.size();
    return judge(room_bytes, allowed, out);
}

/// Why a packet that does not begin as one of its width does is refused.
reject_reason refused_start(std::uint32_t start_wire) noexcept {
    return (start_wire & 0xffff) == magic_and_version_wire ? reject_reason::bad_widths : reject_reason::bad_magic;
}

/// The packet at the front of `data`.
inline std::optional<reject_reason> decode(std::span<const std::byte> data, behind allowed, packet& out) noexcept {
    if (data.size() < header_bytes) return reject_reason::too_short;
    const std::uint64_t header_wire = load_wire(data.data());
    const auto start_wire = static_cast<std::uint32_t>(header_wire);
    const unsigned address_bytes = start_wire >> 24;
    if (address_bytes >= std::size(formats)) return refused_start(start_wire);
    const packet_format& format = formats[address_bytes];
    if (start_wire != format.start_wire) return refused_start(start_wire);
    const std::size_t pointer_count = __builtin_bswap16(static_cast<std::uint16_t>(header_wire >> 48));
    const std::size_t payload_at = header_bytes + pointer_count * pointer_bytes;
    if (payload_at > data.size()) return reject_reason::pointers_cut;
    const std::size_t room_bytes = data.size() - payload_at;

    const std::byte* at = data.data() + header_bytes;
    const std::byte* const end = data.data() + payload_at;
    out.payload = {end, 0};
    out.pointers = {at, end};
    out.address_max = 0;
    out.items = static_cast<std::uint32_t>(pointer_count);
    out.address_bits = format.address_bits;
    out.stops = false;
    if (pointer_count >= specials_count && take_usual_start(at, format, out)) {
        out.items -= specials_count;
        out.bytes = payload_at + out.payload.size();
        at += specials_count * pointer_bytes;
        if (!judge(room_bytes, allowed, out)) {
            at = take_items(at, end, format, out);
            if (at == end) return std::nullopt;
        }
    }
    return decode_unusual(room_bytes, allowed, at, format, out);
}

}  // namespace

std::optional<reject_reason> decode_packet(std::span<const std::byte> data, packet& out) noexcept {
    return decode(data, behind::anything, out);
}

std::optional<reject_reason> decode_datagram(std::span<const std::byte> data, packet& out) noexcept {
    return decode(data, behind::nothing, out);
}

}  // namespace verbcast
