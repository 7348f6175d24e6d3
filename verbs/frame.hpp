// SPDX-License-Identifier: BSD-3-Clause
/// From a frame to the UDP datagram in it: Ethernet with VLAN tags, Linux cooked captures, or bare IP; IPv4 with
/// options, IPv6 with extension headers.
///
/// Pure functions for any thread. They read only within the bytes they are given, allocate nothing and never throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

/// What a frame begins with.
enum class link_layer : std::uint8_t {
    ethernet,
    linux_cooked_v1,  ///< LINKTYPE_LINUX_SLL
    linux_cooked_v2,  ///< LINKTYPE_LINUX_SLL2
    raw_ip,           ///< the IP header
};

/// What came of parsing a frame. All but `udp` say why there is no whole datagram in it.
enum class frame_kind : std::uint8_t {
    udp,
    cut,           ///< the capture ends before the datagram does
    not_ip,        ///< another protocol than IPv4 or IPv6
    not_udp,       ///< IP, but another protocol
    fragment,      ///< a piece of a fragmented UDP datagram
    bad,           ///< lengths or versions that contradict one another
    bad_checksum,  ///< of the IPv4 header or of the datagram
};
std::string_view name(frame_kind kind) noexcept;

enum class checksum_check : std::uint8_t {
    skip,    ///< the NIC has checked, or the frame was captured before its NIC filled them in
    verify,  ///< reads every byte of the datagram
};

/// Bounds on what headers can make the parser do; a frame beyond one is `bad`.
inline constexpr std::size_t vlan_tags_max = 4;
inline constexpr std::size_t extension_headers_max = 8;

/// The datagram in a frame. Points into the frame.
struct udp_frame {
    std::span<const std::byte> payload;
    ip_address source;
    ip_address destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    /// The id of the outermost tag that has one; a tag with id 0 only carries a priority.
    std::optional<std::uint16_t> vlan;
};

/// Parses the frame of which `captured` are the first bytes and which was `wire_bytes` long on the wire. `out` is
/// filled for `udp`; for other kinds, what was found before the trouble: `destination_port` is not 0 only when the
/// addresses and ports are known.
frame_kind parse_frame(link_layer link, std::span<const std::byte> captured, std::size_t wire_bytes,
                       checksum_check checksums, udp_frame& out) noexcept;

}  // namespace verbcast::verbs
