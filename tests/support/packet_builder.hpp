// SPDX-License-Identifier: BSD-3-Clause
/// SPEAD packets and heaps as senders write them, and as no sender should. Written from the protocol alone: nothing of
/// the library is used, so that what it decodes is not what it encoded.
///
///     const bytes one = wire_packet{.heap_cnt = 7, .heap_length = 4, .payload = pattern(4)}.encode();
///     const std::vector<bytes> many = encode(wire_heap{.cnt = 7, .values = {{0x1000, pattern(9000)}}}.split({}));
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace verbcast::test {

using bytes = std::vector<std::byte>;

/// `count` bytes that differ from one position to the next and from one seed to the next.
bytes pattern(std::size_t count, std::uint64_t seed = 1);
bytes zeros(std::size_t count);
bytes from_text(std::string_view text);
bytes from_octets(std::initializer_list<unsigned> octets);
/// The low 8 * `width` bits of `value`, big-endian.
bytes from_integer(std::uint64_t value, std::size_t width);
/// One behind the other: the shape of packets in memory and over TCP.
bytes join(const std::vector<bytes>& parts);

/// An item pointer before it is packed into 8 bytes.
struct wire_item {
    std::uint64_t id = 0;
    bool immediate = false;
    std::uint64_t value = 0;  ///< or the address in the heap's payload

    std::uint64_t encode(unsigned address_bits) const;
    friend bool operator==(const wire_item&, const wire_item&) = default;
};
wire_item immediate(std::uint64_t id, std::uint64_t value);
wire_item addressed(std::uint64_t id, std::uint64_t address);

/// Any header, any pointers, any payload: nothing is added and nothing need fit.
struct raw_packet {
    std::uint8_t magic = 0x53;
    std::uint8_t version = 4;
    std::uint8_t item_id_width = 2;
    std::uint8_t address_width = 6;
    std::uint16_t reserved = 0;
    std::optional<std::uint16_t> pointer_count = {};  ///< unset: as many as there are
    std::vector<std::uint64_t> pointers = {};
    bytes payload = {};

    bytes encode() const;
};

/// A packet with the specials in the usual order CNT, HEAP_LENGTH, OFFSET, LENGTH, then its items.
struct wire_packet {
    unsigned address_bits = 48;
    std::uint64_t heap_cnt = 1;
    std::optional<std::uint64_t> heap_length = {};
    std::uint64_t payload_offset = 0;
    std::vector<wire_item> items = {};
    bytes payload = {};

    raw_packet raw() const;
    bytes encode() const { return raw().encode(); }
};
std::vector<bytes> encode(const std::vector<wire_packet>& packets);

/// The one packet of a heap that says stop.
wire_packet stop_packet(std::uint64_t heap_cnt, unsigned address_bits = 48);

enum class packet_order { as_sent, reversed, shuffled };

/// How a heap becomes packets.
struct split_options {
    std::size_t packet_bytes_max = 1472;  ///< header included; rounded down to a multiple of 8
    bool repeat_pointers = false;         ///< all pointers in every packet, not in the first ones only
    bool say_length = true;               ///< HEAP_LENGTH in every packet
    bool pad = true;                      ///< at least a byte of payload in every packet, behind a NULL pointer
    packet_order order = packet_order::as_sent;
    std::uint64_t seed = 1;  ///< of packet_order::shuffled
};

/// An item whose bytes go into the payload.
struct wire_value {
    std::uint64_t id = 0;
    bytes value = {};
};

/// A heap: its immediates, and its values one behind the other from address 0.
struct wire_heap {
    unsigned address_bits = 48;
    std::uint64_t cnt = 1;
    std::vector<wire_value> values = {};
    std::vector<wire_item> immediates = {};

    /// Item pointers: values, then immediates.
    std::vector<wire_item> items() const;
    bytes payload() const;
    /// Throws std::invalid_argument when packet_bytes_max has no room for a pointer and 8 bytes of payload, or for all
    /// pointers where they are repeated.
    std::vector<wire_packet> split(const split_options& options = {}) const;
};

}  // namespace verbcast::test
