// SPDX-License-Identifier: BSD-3-Clause
/// Frames around a payload, as senders write them, and as no sender should; and capture files of them. Written from the
/// standards alone: nothing of the library is used.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "packet_builder.hpp"

namespace verbcast::test {

/// An IPv6 extension header, without its first byte, which says what follows it.
struct wire_extension {
    std::uint8_t protocol = 0;
    bytes rest = {};
};
wire_extension hop_by_hop_options();
wire_extension destination_options(std::size_t units_of_8 = 1);
wire_extension authentication_header();
wire_extension fragment_header(std::uint16_t offset_and_flags);

/// An IP packet with a UDP datagram in it; IPv6 when the addresses are.
struct wire_datagram {
    std::string source = "10.0.0.1";
    std::string destination = "239.255.88.1";
    std::uint16_t source_port = 12345;
    std::uint16_t destination_port = 7148;
    bytes payload = {};

    std::uint8_t protocol = 17;
    bytes options = {};                            ///< IPv4: a multiple of 4 bytes
    std::uint16_t flags_and_offset = 0x4000;       ///< IPv4
    std::vector<wire_extension> extensions = {};   ///< IPv6
    std::optional<std::uint16_t> ip_length = {};   ///< unset: what fits
    std::optional<std::uint16_t> udp_length = {};  ///< unset: what fits
    bool udp_checksum = true;                      ///< IPv4's own checksum is always there

    bytes encode() const;
};

struct wire_vlan {
    std::uint16_t tag_protocol = 0x8100;
    std::uint16_t id = 0;
};

bytes ethernet_frame(const bytes& ip_packet, const std::vector<wire_vlan>& tags = {}, const bytes& padding = {});
bytes cooked_v1_frame(const bytes& ip_packet, const std::vector<wire_vlan>& tags = {});
bytes cooked_v2_frame(const bytes& ip_packet);

/// A frame in a capture, `captured` bytes of it.
struct wire_capture {
    bytes frame = {};
    std::chrono::nanoseconds time{0};
    std::optional<std::size_t> captured = {};
};

enum class capture_format { pcap_nanoseconds, pcap_microseconds, pcap_other_byte_order, pcapng };

/// The bytes of a capture file. `link_type` as in LINKTYPE_*: 1 Ethernet, 101 raw IP, 113 and 276 Linux cooked.
bytes capture_file(const std::vector<wire_capture>& frames, unsigned link_type = 1,
                   capture_format format = capture_format::pcap_nanoseconds);

}  // namespace verbcast::test
