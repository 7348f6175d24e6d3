// SPDX-License-Identifier: BSD-3-Clause
#include "frame_builder.hpp"

#include <stdexcept>

#include <arpa/inet.h>

namespace verbcast::test {
namespace {

bytes address_bytes(const std::string& text) {
    const bool v6 = text.find(':') != std::string::npos;
    bytes address(v6 ? 16 : 4);
    if (inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), address.data()) != 1) {
        throw std::invalid_argument("not an address: " + text);
    }
    return address;
}

std::uint16_t internet_checksum(bytes data) {
    if (data.size() % 2 != 0) data.push_back(std::byte{0});
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < data.size(); i += 2) {
        sum += std::to_integer<unsigned>(data[i]) * 256 + std::to_integer<unsigned>(data[i + 1]);
    }
    while (sum > 0xffff) sum = sum % 0x10000 + sum / 0x10000;
    return static_cast<std::uint16_t>(0xffff - sum);
}

bytes udp_of(const wire_datagram& of, const bytes& source, const bytes& destination) {
    const std::size_t length = of.udp_length.value_or(static_cast<std::uint16_t>(8 + of.payload.size()));
    const auto with_checksum = [&](std::uint16_t checksum) {
        return join({from_integer(of.source_port, 2), from_integer(of.destination_port, 2), from_integer(length, 2),
                     from_integer(checksum, 2), of.payload});
    };
    if (!of.udp_checksum) return with_checksum(0);
    const bytes pseudo_header = join({source, destination, from_integer(17, 4), from_integer(length, 4)});
    const std::uint16_t checksum = internet_checksum(join({pseudo_header, with_checksum(0)}));
    return with_checksum(checksum == 0 ? 0xffff : checksum);
}

bytes ipv4_of(const wire_datagram& of, const bytes& source, const bytes& destination, const bytes& udp) {
    const std::size_t header_bytes = 20 + of.options.size();
    const auto first = static_cast<unsigned>(0x40 + header_bytes / 4);
    const auto header = [&](std::uint16_t checksum) {
        return join({from_octets({first, 0}), from_integer(of.ip_length.value_or(header_bytes + udp.size()), 2),
                     from_integer(1, 2), from_integer(of.flags_and_offset, 2), from_octets({4, of.protocol}),
                     from_integer(checksum, 2), source, destination, of.options});
    };
    return join({header(internet_checksum(header(0))), udp});
}

bytes ipv6_of(const wire_datagram& of, const bytes& source, const bytes& destination, const bytes& udp) {
    bytes behind;
    std::uint8_t next = of.protocol;
    const std::vector<wire_extension> inner_first(of.extensions.rbegin(), of.extensions.rend());
    for (const wire_extension& each : inner_first) {
        behind = join({from_octets({next}), each.rest, behind});
        next = each.protocol;
    }
    behind = join({behind, udp});
    return join({from_octets({0x60, 0, 0, 0}), from_integer(of.ip_length.value_or(behind.size()), 2),
                 from_octets({next, 17}), source, destination, behind});
}

bytes tagged(const bytes& ip_packet, const std::vector<wire_vlan>& tags) {
    bytes all;
    for (const wire_vlan& each : tags) {
        all = join({all, from_integer(each.tag_protocol, 2), from_integer(each.id, 2)});
    }
    const bool v6 = !ip_packet.empty() && std::to_integer<unsigned>(ip_packet[0]) / 16 == 6;
    return join({all, from_integer(v6 ? 0x86dd : 0x0800, 2), ip_packet});
}

void append(bytes& to, const std::vector<bytes>& parts) {
    const bytes joined = join(parts);
    to.insert(to.end(), joined.begin(), joined.end());
}

bytes reversed(bytes value) { return {value.rbegin(), value.rend()}; }

/// Integers of a file in one byte order.
struct file_order {
    bool big_endian = false;
    bytes u16(std::uint64_t value) const {
        return big_endian ? from_integer(value, 2) : reversed(from_integer(value, 2));
    }
    bytes u32(std::uint64_t value) const {
        return big_endian ? from_integer(value, 4) : reversed(from_integer(value, 4));
    }
};

bytes pcap_file(const std::vector<wire_capture>& frames, unsigned link_type, file_order order, bool nanoseconds) {
    constexpr std::uint32_t snap_bytes = 262144;
    bytes file = join({order.u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), order.u16(2), order.u16(4), order.u32(0),
                       order.u32(0), order.u32(snap_bytes), order.u32(link_type)});
    for (const wire_capture& each : frames) {
        const auto time = static_cast<std::uint64_t>(each.time.count());
        const std::size_t captured = each.captured.value_or(each.frame.size());
        const bytes kept(each.frame.begin(), each.frame.begin() + static_cast<std::ptrdiff_t>(captured));
        append(file, {order.u32(time / 1000000000), order.u32(time % 1000000000 / (nanoseconds ? 1 : 1000)),
                      order.u32(captured), order.u32(each.frame.size()), kept});
    }
    return file;
}

bytes pcapng_file(const std::vector<wire_capture>& frames, unsigned link_type) {
    const file_order order;
    const auto block = [&](std::uint32_t type, const bytes& body) {
        const bytes length = order.u32(12 + body.size());
        return join({order.u32(type), length, body, length});
    };
    // if_tsresol (option 9): 10^-9.
    const bytes resolution = join({order.u16(9), order.u16(1), from_octets({9, 0, 0, 0}), order.u32(0)});
    bytes file = join({block(0x0a0d0d0a, join({order.u32(0x1a2b3c4d), order.u16(1), order.u16(0), order.u32(0xffffffff),
                                               order.u32(0xffffffff)})),
                       block(1, join({order.u16(link_type), order.u16(0), order.u32(0), resolution}))});
    for (const wire_capture& each : frames) {
        const auto time = static_cast<std::uint64_t>(each.time.count());
        const std::size_t captured = each.captured.value_or(each.frame.size());
        bytes kept(each.frame.begin(), each.frame.begin() + static_cast<std::ptrdiff_t>(captured));
        kept.resize((captured + 3) / 4 * 4);
        append(file, {block(6, join({order.u32(0), order.u32(time >> 32), order.u32(time & 0xffffffff),
                                     order.u32(captured), order.u32(each.frame.size()), kept}))});
    }
    return file;
}

}  // namespace

wire_extension hop_by_hop_options() { return {0, join({from_octets({0}), from_octets({1, 4, 0, 0, 0, 0})})}; }

wire_extension destination_options(std::size_t units_of_8) {
    return {60, join({from_integer(units_of_8 - 1, 1), zeros(units_of_8 * 8 - 2)})};
}

wire_extension authentication_header() {
    constexpr std::size_t words = 6;
    return {51, join({from_integer(words - 2, 1), zeros(words * 4 - 2)})};
}

wire_extension fragment_header(std::uint16_t offset_and_flags) {
    return {44, join({from_octets({0}), from_integer(offset_and_flags, 2), from_integer(99, 4)})};
}

bytes wire_datagram::encode() const {
    const bytes from = address_bytes(source);
    const bytes to = address_bytes(destination);
    const bytes udp = udp_of(*this, from, to);
    return from.size() == 4 ? ipv4_of(*this, from, to, udp) : ipv6_of(*this, from, to, udp);
}

bytes ethernet_frame(const bytes& ip_packet, const std::vector<wire_vlan>& tags, const bytes& padding) {
    return join({from_octets({0x01, 0, 0x5e, 0x7f, 0x58, 1}), from_octets({2, 0, 10, 0, 0, 1}), tagged(ip_packet, tags),
                 padding});
}

bytes cooked_v1_frame(const bytes& ip_packet, const std::vector<wire_vlan>& tags) {
    return join({from_integer(2, 2), from_integer(1, 2), from_integer(6, 2), from_octets({2, 0, 10, 0, 0, 1, 0, 0}),
                 tagged(ip_packet, tags)});
}

bytes cooked_v2_frame(const bytes& ip_packet) {
    const bytes with_type = tagged(ip_packet, {});
    return join({bytes(with_type.begin(), with_type.begin() + 2), zeros(2), from_integer(7, 4), from_integer(1, 2),
                 from_octets({2, 6}), from_octets({2, 0, 10, 0, 0, 1, 0, 0}), ip_packet});
}

bytes capture_file(const std::vector<wire_capture>& frames, unsigned link_type, capture_format format) {
    switch (format) {
    case capture_format::pcap_nanoseconds: return pcap_file(frames, link_type, {}, true);
    case capture_format::pcap_microseconds: return pcap_file(frames, link_type, {}, false);
    case capture_format::pcap_other_byte_order: return pcap_file(frames, link_type, {.big_endian = true}, true);
    case capture_format::pcapng: return pcapng_file(frames, link_type);
    }
    throw std::invalid_argument("no such capture format");
}

}  // namespace verbcast::test
