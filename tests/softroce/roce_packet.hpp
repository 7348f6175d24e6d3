// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "support/packet_builder.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast::test {

constexpr std::uint16_t roce_port = 4791;
constexpr std::uint32_t multicast_pair = 0xffffff;
constexpr std::uint32_t default_queue_key = 0x11111111;

/// Between which sockets a packet goes: its checksum covers their addresses.
struct roce_route {
    verbs::ip_address source;
    verbs::ip_address destination;
    std::uint16_t source_port = 49152;
};

/// A datagram of RoCE v2, one packet, made by hand: InfiniBand Architecture Specification, volume 1, 9.2 (base
/// transport header), 9.3.4 (datagram header) and annex A17 (over UDP). Sent in an IPv4 packet that has its "do not
/// fragment" flag and identification 0, or in an IPv6 packet.
struct roce_packet {
    std::uint32_t queue_pair = multicast_pair;
    std::uint32_t queue_key = default_queue_key;
    std::uint32_t source_pair = 0x11;
    std::uint32_t sequence = 0;
    bool solicited = false;
    bytes payload;

    /// Headers, payload, padding to whole words.
    bytes encode_unsealed() const;
    /// The same with its checksum: what the UDP datagram carries.
    bytes encode(const roce_route& route) const;
};

/// The datagram with its checksum behind it.
bytes seal(bytes unsealed, const roce_route& route);

/// The invariant checksum over everything in a packet that no router changes: `packet` begins with its IP header and
/// ends where the checksum begins. As it stands in the packet, first byte first.
std::array<std::byte, 4> invariant_checksum(bytes packet);

}  // namespace verbcast::test
