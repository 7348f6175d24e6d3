// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace softnic {

/// The header fields a flow rule can match, in network byte order, laid out so that a masked comparison is eight words.
/// Fields a frame does not have are zero, and the kinds at the end say which it has.
struct alignas(8) frame_keys {
    std::array<std::uint8_t, 6> destination_mac;
    std::array<std::uint8_t, 6> source_mac;
    std::uint16_t ether_type;  ///< the one after the last VLAN tag
    std::uint16_t vlan_tag;    ///< of the first tag
    std::array<std::uint8_t, 16> source_ip;
    std::array<std::uint8_t, 16> destination_ip;
    std::uint32_t flow_label;
    std::uint8_t protocol;
    std::uint8_t traffic_class;
    std::uint8_t hop_limit;
    std::uint8_t fragment_flags;
    std::uint16_t source_port;
    std::uint16_t destination_port;
    std::uint8_t ip_version;  ///< 4, 6, or 0 when the frame is not IP
    std::uint8_t transport;   ///< IPPROTO_UDP or IPPROTO_TCP when the ports are there, else 0
    std::uint8_t tagged;      ///< 1 when there is a VLAN tag
    std::uint8_t reserved;
};
static_assert(sizeof(frame_keys) == 64);

using key_words = std::array<std::uint64_t, sizeof(frame_keys) / 8>;
inline key_words words_of(const frame_keys& keys) noexcept { return std::bit_cast<key_words>(keys); }

/// Where the layers of a frame begin. An offset is 0 when the frame has no such layer.
struct frame_layers {
    frame_keys keys{};
    std::uint16_t network_offset = 0;
    std::uint16_t transport_offset = 0;
    std::uint16_t payload_offset = 0;  ///< behind the UDP or TCP header
    std::uint32_t network_end = 0;     ///< end of the IP datagram, padding excluded
    bool lengths_hold = false;         ///< the IP header's length is possible in this frame
    bool fragment = false;
};

/// Reads the headers; any bytes are allowed, and nothing outside `frame` is read.
frame_layers parse_frame(std::span<const std::byte> frame) noexcept;

inline bool is_multicast(const frame_keys& keys) noexcept { return (keys.destination_mac[0] & 1) != 0; }

}  // namespace softnic
