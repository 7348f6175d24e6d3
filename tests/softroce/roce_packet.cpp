// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/roce_packet.hpp"

#include <algorithm>
#include <array>

namespace verbcast::test {
namespace {

constexpr std::uint8_t send_only_datagram = 0x64;
constexpr std::uint16_t default_partition = 0xffff;
constexpr std::size_t udp_bytes = 8;
constexpr std::size_t checksum_bytes = 4;

void append(bytes& to, std::uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) to.push_back(static_cast<std::byte>(value >> 8 * i & 0xff));
}

void append(bytes& to, const verbs::ip_address& address) {
    const auto size = address.family == verbs::ip_family::v4 ? 4 : 16;
    to.insert(to.end(), address.bytes.begin(), address.bytes.begin() + size);
}

/// What is in front of the UDP header, as far as the checksum looks at it.
bytes ip_header(const roce_route& route, std::size_t udp_length) {
    bytes header;
    if (route.source.family == verbs::ip_family::v4) {
        append(header, 0x4500, 2);
        append(header, 20 + udp_length, 2);
        append(header, 0x00004000, 4);
        append(header, 0x0011'0000, 4);
    } else {
        append(header, 0x60000000, 4);
        append(header, udp_length, 2);
        append(header, 0x1100, 2);
    }
    append(header, route.source);
    append(header, route.destination);
    return header;
}

void fill(bytes& packet, std::size_t from, std::size_t size) {
    std::fill_n(packet.begin() + static_cast<std::ptrdiff_t>(from), size, std::byte{0xff});
}

/// The checksum of Ethernet, of bytes in the order in which they are sent.
class crc {
public:
    void add(const bytes& data) {
        for (const std::byte each : data) {
            value_ ^= std::to_integer<std::uint32_t>(each);
            for (int bit = 0; bit < 8; ++bit) value_ = value_ >> 1 ^ ((value_ & 1) != 0 ? 0xedb88320U : 0U);
        }
    }
    std::uint32_t value() const { return ~value_; }

private:
    std::uint32_t value_ = ~std::uint32_t{0};
};

}  // namespace

std::array<std::byte, 4> invariant_checksum(bytes packet) {
    const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
    const std::size_t ip_bytes = v4 ? 20 : 40;
    // What routers change counts as ones: service, time to live and the checksums; in IPv6 the flow label too.
    if (v4) {
        fill(packet, 1, 1);
        fill(packet, 8, 1);
        fill(packet, 10, 2);
    } else {
        packet[0] |= std::byte{0x0f};
        fill(packet, 1, 3);
        fill(packet, 7, 1);
    }
    fill(packet, ip_bytes + 6, 2);
    fill(packet, ip_bytes + udp_bytes + 4, 1);  // congestion marks
    crc sum;
    sum.add(bytes(8, std::byte{0xff}));  // where InfiniBand has its local route header
    sum.add(packet);
    std::array<std::byte, 4> result{};
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<std::byte>(sum.value() >> 8 * i & 0xff);
    return result;
}

bytes roce_packet::encode_unsealed() const {
    const std::size_t padding = -payload.size() & 3;
    bytes datagram;
    append(datagram, send_only_datagram, 1);
    append(datagram, (solicited ? 0x80U : 0U) | padding << 4, 1);
    append(datagram, default_partition, 2);
    append(datagram, queue_pair, 4);
    append(datagram, sequence & 0xffffff, 4);
    append(datagram, queue_key, 4);
    append(datagram, source_pair, 4);
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    datagram.resize(datagram.size() + padding);
    return datagram;
}

bytes roce_packet::encode(const roce_route& route) const { return seal(encode_unsealed(), route); }

bytes seal(bytes unsealed, const roce_route& route) {
    const std::size_t udp_length = udp_bytes + unsealed.size() + checksum_bytes;
    bytes packet = ip_header(route, udp_length);
    append(packet, route.source_port, 2);
    append(packet, roce_port, 2);
    append(packet, udp_length, 2);
    append(packet, 0, 2);
    packet.insert(packet.end(), unsealed.begin(), unsealed.end());
    const auto checksum = invariant_checksum(packet);
    unsealed.insert(unsealed.end(), checksum.begin(), checksum.end());
    return unsealed;
}

}  // namespace verbcast::test
