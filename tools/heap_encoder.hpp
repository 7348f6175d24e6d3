// SPDX-License-Identifier: BSD-3-Clause
/// From a heap to SPEAD packets, as senders in the field write them: CNT, HEAP_LENGTH, OFFSET, LENGTH, then the heap's
/// item pointers in as many of the first packets as they need; packets of a multiple of 8 bytes, and so their payload,
/// but for the last; no packet without payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <verbcast/descriptor.hpp>
#include <verbcast/packet.hpp>

#include "flavour.hpp"

namespace verbcast::tools {

/// The pointer of an item. `id` and `value` must fit the flavour.
item_pointer immediate_pointer(flavour kind, std::uint64_t id, std::uint64_t value) noexcept;
item_pointer addressed_pointer(flavour kind, std::uint64_t id, std::uint64_t address) noexcept;

/// What a heap is made of. The payload is the caller's, and must outlive the packets' spans.
struct outgoing_heap {
    std::uint64_t cnt = 1;
    std::vector<item_pointer> pointers;
    std::span<const std::byte> payload;
};

/// A packet: its header and item pointers, as bytes to be sent, and the part of the heap's payload that follows them.
struct outgoing_packet {
    std::vector<std::byte> header;
    std::span<const std::byte> payload;
};

/// The shortest --packet: a header, the four specials, one item pointer and 8 bytes of payload.
inline constexpr std::size_t packet_bytes_min = 8 + 5 * 8 + 8;

/// Cuts one heap into packets.
class heap_encoder {
public:
    /// `packet_bytes_max` is at least packet_bytes_min; what it is above a multiple of 8 is not used. A heap whose
    /// pointers need more packets than its payload has bytes for is padded with zeros, behind a NULL pointer.
    heap_encoder(flavour kind, std::size_t packet_bytes_max, outgoing_heap heap);

    heap_encoder(heap_encoder&&) = default;
    heap_encoder& operator=(heap_encoder&&) = default;

    bool done() const noexcept { return offset_ == heap_.payload.size(); }
    /// Writes the next packet into `out`, whose capacity is used again. Its payload is valid as long as the heap's is,
    /// and this encoder. Not when done().
    void next(outgoing_packet& out);

    /// HEAP_LENGTH: the payload, padding included.
    std::uint64_t payload_bytes() const noexcept { return heap_.payload.size(); }

private:
    std::uint64_t payload_needed(std::size_t pointers) const noexcept;
    void pad();

    flavour kind_;
    std::size_t packet_bytes_;
    std::size_t room_;  // item pointers of a packet that carries one unit of payload
    outgoing_heap heap_;
    std::vector<std::byte> padded_;  // the payload when it had to be padded; a move keeps its address
    std::uint64_t offset_ = 0;
    std::size_t pointers_written_ = 0;
};

/// The heap that ends a stream: a STREAM_CTRL item and a byte of padding.
outgoing_heap stop_heap(flavour kind, std::uint64_t cnt);

/// A DESCRIPTOR item's bytes: one packet with the descriptor's fields as items. Empty when the flavour has no room for
/// it.
std::vector<std::byte> encode_descriptor(flavour kind, const descriptor& about);

}  // namespace verbcast::tools
