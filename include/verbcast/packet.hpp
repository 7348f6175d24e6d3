// SPDX-License-Identifier: BSD-3-Clause
/// One SPEAD packet, decoded in place. SPEAD-64-XX version 4; all integers on the wire are big-endian.
///
///     byte 0     1        2             3                4-5       6-7       8
///          0x53  version  id width (W)  addr. width (A)  reserved  pointers  N item pointers of 8 bytes, payload
///
/// An item pointer: bit 63 says immediate, the next 63-8A bits are the item's id, the low 8A bits the value or the
/// offset in the heap's payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <verbcast/account.hpp>
#include <verbcast/api.hpp>

namespace verbcast {

/// Item ids that the protocol gives a meaning. Users' ids start at 0x1000 by convention.
namespace item_id {
inline constexpr std::uint64_t null = 0;
inline constexpr std::uint64_t heap_cnt = 1;
inline constexpr std::uint64_t heap_length = 2;
inline constexpr std::uint64_t payload_offset = 3;
inline constexpr std::uint64_t payload_length = 4;
inline constexpr std::uint64_t descriptor = 5;
inline constexpr std::uint64_t stream_control = 6;
// Within a descriptor:
inline constexpr std::uint64_t name = 0x10;
inline constexpr std::uint64_t description = 0x11;
inline constexpr std::uint64_t shape = 0x12;
inline constexpr std::uint64_t format = 0x13;
inline constexpr std::uint64_t id = 0x14;
inline constexpr std::uint64_t dtype = 0x15;
}  // namespace item_id

/// Values of a STREAM_CTRL item.
enum class stream_control : std::uint64_t { start = 0, descriptor_reissue = 1, stop = 2, descriptor_update = 3 };

/// An item pointer in the host's byte order. What its fields are depends on the heap-address width, 8 to 56 bits.
class item_pointer {
public:
    constexpr item_pointer() = default;
    constexpr explicit item_pointer(std::uint64_t raw) noexcept : raw_(raw) {}

    constexpr std::uint64_t raw() const noexcept { return raw_; }
    constexpr bool immediate() const noexcept { return (raw_ >> 63) != 0; }
    constexpr std::uint64_t id(unsigned address_bits) const noexcept { return (raw_ & ~(1ULL << 63)) >> address_bits; }
    /// The immediate's value, or the byte offset in the heap's payload.
    constexpr std::uint64_t value(unsigned address_bits) const noexcept { return raw_ & ((1ULL << address_bits) - 1); }
    friend constexpr bool operator==(item_pointer, item_pointer) = default;

private:
    std::uint64_t raw_ = 0;
};

/// A decoded packet. Its spans point into the bytes that were decoded and live as long as they do.
struct packet {
    /// heap_length of a packet that does not carry one: the heap is unsized as far as it knows.
    static constexpr std::uint64_t length_unknown = ~std::uint64_t{0};

    std::uint64_t heap_cnt = 0;
    std::uint64_t heap_length = length_unknown;
    std::uint64_t payload_offset = 0;
    std::span<const std::byte> payload;
    std::span<const std::byte> pointers;  ///< all N item pointers as they came, big-endian
    std::uint64_t address_max = 0;        ///< largest address of an addressed pointer, of any id; 0 when there is none
    std::size_t bytes = 0;                ///< header, pointers and payload
    std::uint32_t items = 0;              ///< how many pointers are items of the heap: ids 0 and above 4
    std::uint8_t address_bits = 0;        ///< 8A
    bool stops = false;                   ///< carries an immediate STREAM_CTRL with the value `stop`
};

/// Decodes the packet at the front of `data`, which may be followed by other bytes (in memory and over TCP packets
/// follow one another). Returns why it is refused; `out` is then unspecified.
///
/// Pure. Reads only within `data`. One pass, linear in the item pointers, no allocation.
VERBCAST_API std::optional<reject_reason> decode_packet(std::span<const std::byte> data, packet& out) noexcept;

/// The same for a whole datagram: bytes behind the packet are refused as `trailing_bytes`.
VERBCAST_API std::optional<reject_reason> decode_datagram(std::span<const std::byte> data, packet& out) noexcept;

}  // namespace verbcast
