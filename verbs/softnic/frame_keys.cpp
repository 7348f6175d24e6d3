// SPDX-License-Identifier: BSD-3-Clause
#include "frame_keys.hpp"

#include "bytes.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace softnic {
namespace {

constexpr std::size_t ethernet_bytes = 14;
constexpr std::size_t vlan_bytes = 4;
constexpr std::uint16_t type_vlan = 0x8100;
constexpr std::uint16_t type_service_vlan = 0x88a8;
constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_ipv6 = 0x86dd;
constexpr std::size_t ipv6_bytes = 40;
constexpr int extension_headers_max = 8;

/// Ends the network layer where its header says, or with the frame when that is not possible: as in hardware, steering
/// looks at the fields that are there, and only the checksum flags tell that the lengths are wrong.
void end_network(std::span<const std::byte> frame, std::size_t header_end, std::size_t stated_end,
                 frame_layers& layers) noexcept {
    layers.lengths_hold = header_end <= stated_end && stated_end <= frame.size();
    layers.network_end = static_cast<std::uint32_t>(layers.lengths_hold ? stated_end : frame.size());
}

bool is_extension(std::uint8_t header) noexcept {
    return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS;
}

void parse_transport(std::span<const std::byte> frame, std::size_t offset, frame_layers& layers) noexcept {
    const std::uint8_t protocol = layers.keys.protocol;
    const std::size_t end = layers.network_end;
    std::size_t header_bytes = 0;
    if (protocol == IPPROTO_UDP) {
        header_bytes = 8;
    } else if (protocol == IPPROTO_TCP && offset + 20 <= end) {
        header_bytes = std::to_integer<std::size_t>(frame[offset + 12] >> 4) * 4;
        if (header_bytes < 20) return;
    }
    if (header_bytes == 0 || offset + header_bytes > end) return;
    layers.transport_offset = static_cast<std::uint16_t>(offset);
    layers.payload_offset = static_cast<std::uint16_t>(offset + header_bytes);
    layers.keys.transport = protocol;
    std::memcpy(&layers.keys.source_port, &frame[offset], 2);
    std::memcpy(&layers.keys.destination_port, &frame[offset + 2], 2);
}

void parse_ipv4(std::span<const std::byte> frame, std::size_t offset, frame_layers& layers) noexcept {
    if (offset + 20 > frame.size()) return;
    const std::byte* header = &frame[offset];
    const std::size_t header_bytes = std::to_integer<std::size_t>(header[0] & std::byte{0x0f}) * 4;
    const std::size_t total_bytes = load_be16(header + 2);
    if ((header[0] >> 4) != std::byte{4} || header_bytes < 20 || offset + header_bytes > frame.size()) return;
    frame_keys& keys = layers.keys;
    keys.ip_version = 4;
    keys.traffic_class = std::to_integer<std::uint8_t>(header[1]);
    keys.fragment_flags = std::to_integer<std::uint8_t>(header[6] >> 5);
    keys.hop_limit = std::to_integer<std::uint8_t>(header[8]);
    keys.protocol = std::to_integer<std::uint8_t>(header[9]);
    std::memcpy(keys.source_ip.data(), header + 12, 4);
    std::memcpy(keys.destination_ip.data(), header + 16, 4);
    layers.network_offset = static_cast<std::uint16_t>(offset);
    end_network(frame, offset + header_bytes, offset + total_bytes, layers);
    layers.fragment = (load_be16(header + 6) & 0x3fff) != 0;
    if (!layers.fragment) parse_transport(frame, offset + header_bytes, layers);
}

void parse_ipv6(std::span<const std::byte> frame, std::size_t offset, frame_layers& layers) noexcept {
    if (offset + ipv6_bytes > frame.size()) return;
    const std::byte* header = &frame[offset];
    if ((header[0] >> 4) != std::byte{6}) return;
    frame_keys& keys = layers.keys;
    keys.ip_version = 6;
    keys.traffic_class = static_cast<std::uint8_t>(load_be16(header) >> 4);
    store_be32(reinterpret_cast<std::byte*>(&keys.flow_label), load_be32(header) & 0xfffff);
    keys.hop_limit = std::to_integer<std::uint8_t>(header[7]);
    std::memcpy(keys.source_ip.data(), header + 8, 16);
    std::memcpy(keys.destination_ip.data(), header + 24, 16);
    layers.network_offset = static_cast<std::uint16_t>(offset);
    end_network(frame, offset + ipv6_bytes, offset + ipv6_bytes + load_be16(header + 4), layers);

    const std::size_t end = layers.network_end;
    std::uint8_t next = std::to_integer<std::uint8_t>(header[6]);
    std::size_t at = offset + ipv6_bytes;
    for (int i = 0; i < extension_headers_max && is_extension(next) && at + 8 <= end; ++i) {
        next = std::to_integer<std::uint8_t>(frame[at]);
        at += (std::to_integer<std::size_t>(frame[at + 1]) + 1) * 8;
    }
    keys.protocol = next;
    layers.fragment = next == IPPROTO_FRAGMENT;
    if (!layers.fragment && at <= end) parse_transport(frame, at, layers);
}

}  // namespace

frame_layers parse_frame(std::span<const std::byte> frame) noexcept {
    frame_layers layers;
    if (frame.size() < ethernet_bytes || frame.size() > 0xffff + ethernet_bytes) return layers;
    std::memcpy(layers.keys.destination_mac.data(), frame.data(), 6);
    std::memcpy(layers.keys.source_mac.data(), &frame[6], 6);
    std::size_t offset = 12;
    std::uint16_t type = load_be16(&frame[offset]);
    while ((type == type_vlan || type == type_service_vlan) && offset + vlan_bytes + 2 <= frame.size()) {
        if (layers.keys.tagged == 0) std::memcpy(&layers.keys.vlan_tag, &frame[offset + 2], 2);
        layers.keys.tagged = 1;
        offset += vlan_bytes;
        type = load_be16(&frame[offset]);
    }
    std::memcpy(&layers.keys.ether_type, &frame[offset], 2);
    offset += 2;
    if (type == type_ipv4) parse_ipv4(frame, offset, layers);
    if (type == type_ipv6) parse_ipv6(frame, offset, layers);
    return layers;
}

}  // namespace softnic
