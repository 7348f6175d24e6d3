// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/packet.hpp>

#include <algorithm>

#include "src/byte_order.hpp"

namespace verbcast {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t pointer_bytes = 8;
constexpr std::uint64_t magic_and_version = 0x5304;

constexpr unsigned bit_of(std::uint64_t id) { return 1U << id; }
constexpr unsigned required_specials =
    bit_of(item_id::heap_cnt) | bit_of(item_id::payload_offset) | bit_of(item_id::payload_length);

constexpr unsigned all_specials = required_specials | bit_of(item_id::heap_length);

/// How pointers look for one width of heap addresses.
struct pointer_format {
    constexpr explicit pointer_format(unsigned bits)
        : value_mask((std::uint64_t{1} << bits) - 1), immediate_flag(std::uint64_t{1} << (63 - bits)),
          id_mask_wire(__builtin_bswap64(~value_mask)) {
        for (std::uint64_t id = 0; id <= item_id::payload_length; ++id)
            special_wire[id] = __builtin_bswap64((immediate_flag | id) << bits);
    }

    std::uint64_t value_mask;
    std::uint64_t immediate_flag;  ///< on an id that was shifted down
    // As they stand in a packet:
    std::uint64_t id_mask_wire;
    std::uint64_t special_wire[item_id::payload_length + 1] = {};  ///< an immediate with this id and the value 0
};
constexpr pointer_format formats[] = {pointer_format(8),  pointer_format(8),  pointer_format(16), pointer_format(24),
                                      pointer_format(32), pointer_format(40), pointer_format(48), pointer_format(56)};

/// What the pointers of one packet say, gathered in one pass.
struct pointer_scan {
    std::uint64_t special[item_id::payload_length + 1];  // the immediates with ids 1 to 4, where `seen` has their bit
    unsigned seen = 0;
    std::uint64_t address_max = 0;
    std::uint32_t items = 0;
    bool stops = false;
};

/// Senders put the four specials first, in the order of their ids. Takes them in one go; false when they are not there.
inline bool scan_usual_start(const std::byte* at, const pointer_format& format, pointer_scan& found) noexcept {
    const auto difference = [&](std::uint64_t id) {
        return load_wire(at + (id - 1) * pointer_bytes) ^ format.special_wire[id];
    };
    const auto value = [&](std::uint64_t id) {
        return load_big_endian(at + (id - 1) * pointer_bytes) & format.value_mask;
    };
    const std::uint64_t differences = difference(item_id::heap_cnt) | difference(item_id::heap_length) |
                                      difference(item_id::payload_offset) | difference(item_id::payload_length);
    if ((differences & format.id_mask_wire) != 0) return false;
    found.special[item_id::heap_cnt] = value(item_id::heap_cnt);
    found.special[item_id::heap_length] = value(item_id::heap_length);
    found.special[item_id::payload_offset] = value(item_id::payload_offset);
    found.special[item_id::payload_length] = value(item_id::payload_length);
    found.seen = all_specials;
    return true;
}

/// Any pointers in any order; of a special that appears twice the last one wins.
inline void scan_pointers(const std::byte* first, const std::byte* end, unsigned address_bits,
                          const pointer_format& format, pointer_scan& found) noexcept {
    std::uint64_t address_max = 0;
    std::uint32_t items = 0;
    for (const std::byte* at = first; at != end; at += pointer_bytes) {
        const std::uint64_t raw = load_big_endian(at);
        const std::uint64_t value = raw & format.value_mask;
        const std::uint64_t id = raw >> address_bits;
        if (!item_pointer(raw).immediate()) {
            address_max = std::max(address_max, value);
            items += id - 1 >= item_id::payload_length;
            continue;
        }
        const std::uint64_t immediate_id = id - format.immediate_flag;
        if (immediate_id - 1 < item_id::payload_length) {
            found.special[immediate_id] = value;
            found.seen |= bit_of(immediate_id);
            continue;
        }
        if (immediate_id == item_id::stream_control && value == static_cast<std::uint64_t>(stream_control::stop))
            found.stops = true;
        ++items;
    }
    found.address_max = address_max;
    found.items = items;
}

inline pointer_scan scan(const std::byte* first, std::size_t count, unsigned address_bytes) noexcept {
    pointer_scan found;
    const pointer_format& format = formats[address_bytes];
    const std::byte* const end = first + count * pointer_bytes;
    if (count >= item_id::payload_length && scan_usual_start(first, format, found))
        first += item_id::payload_length * pointer_bytes;
    scan_pointers(first, end, address_bytes * 8, format, found);
    return found;
}

}  // namespace

std::optional<reject_reason> decode_packet(std::span<const std::byte> data, packet& out) noexcept {
    if (data.size() < header_bytes) return reject_reason::too_short;
    const std::uint64_t header = load_big_endian(data.data());
    if (header >> 48 != magic_and_version) return reject_reason::bad_magic;
    const unsigned id_bytes = (header >> 40) & 0xff;
    const unsigned address_bytes = (header >> 32) & 0xff;
    if (id_bytes == 0 || address_bytes == 0 || id_bytes + address_bytes != 8) return reject_reason::bad_widths;
    const std::size_t pointer_count = header & 0xffff;
    const std::size_t payload_at = header_bytes + pointer_count * pointer_bytes;
    if (payload_at > data.size()) return reject_reason::pointers_cut;

    const std::byte* const pointers = data.data() + header_bytes;
    const pointer_scan found = scan(pointers, pointer_count, address_bytes);
    if ((found.seen & required_specials) != required_specials) return reject_reason::special_missing;
    const std::uint64_t offset = found.special[item_id::payload_offset];
    const std::uint64_t length = found.special[item_id::payload_length];
    if (length > data.size() - payload_at) return reject_reason::payload_cut;
    const bool sized = (found.seen & bit_of(item_id::heap_length)) != 0;
    // Both are below 2^56: the sum does not overflow.
    if (sized && offset + length > found.special[item_id::heap_length]) return reject_reason::beyond_heap_length;

    out.heap_cnt = found.special[item_id::heap_cnt];
    out.heap_length = sized ? found.special[item_id::heap_length] : packet::length_unknown;
    out.payload_offset = offset;
    out.payload = data.subspan(payload_at, length);
    out.pointers = data.subspan(header_bytes, pointer_count * pointer_bytes);
    out.address_max = found.address_max;
    out.bytes = payload_at + length;
    out.items = found.items;
    out.address_bits = static_cast<std::uint8_t>(address_bytes * 8);
    out.stops = found.stops;
    return std::nullopt;
}

std::optional<reject_reason> decode_datagram(std::span<const std::byte> data, packet& out) noexcept {
    const std::optional<reject_reason> refused = decode_packet(data, out);
    if (!refused && out.bytes != data.size()) return reject_reason::trailing_bytes;
    return refused;
}

}  // namespace verbcast
