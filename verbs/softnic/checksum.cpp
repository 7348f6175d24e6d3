// SPDX-License-Identifier: BSD-3-Clause
#include "checksum.hpp"

#include "bytes.hpp"

#include <netinet/in.h>

namespace softnic {
namespace {

constexpr std::size_t udp_checksum_offset = 6;
constexpr std::size_t tcp_checksum_offset = 16;

std::uint16_t fold(std::uint64_t sum) noexcept {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

std::span<const std::byte> ipv4_header(std::span<const std::byte> frame, const frame_layers& layers) noexcept {
    const std::byte* header = &frame[layers.network_offset];
    return {header, std::to_integer<std::size_t>(header[0] & std::byte{0x0f}) * 4};
}

/// Sum of the pseudo header and of the transport segment, its stored checksum included.
std::uint16_t transport_sum(std::span<const std::byte> frame, const frame_layers& layers) noexcept {
    const std::size_t segment_bytes = layers.network_end - layers.transport_offset;
    const bool version4 = layers.keys.ip_version == 4;
    const std::size_t addresses = layers.network_offset + (version4 ? 12U : 8U);
    std::uint32_t sum = internet_sum(frame.subspan(addresses, version4 ? 8 : 32));
    sum += layers.keys.transport;
    sum += static_cast<std::uint32_t>(segment_bytes & 0xffff) + static_cast<std::uint32_t>(segment_bytes >> 16);
    return internet_sum(frame.subspan(layers.transport_offset, segment_bytes), sum);
}

}  // namespace

std::uint16_t internet_sum(std::span<const std::byte> bytes, std::uint32_t sum) noexcept {
    // Sums native-endian words: the one's complement sum does not depend on byte order but for a final swap, nor on how
    // the bytes are grouped. The halves are summed apart, so that no carry is lost.
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + at, 8);
        low += word & 0xffffffff;
        high += word >> 32;
    }
    std::uint16_t folded = fold(low + high);
    if constexpr (std::endian::native == std::endian::little) folded = __builtin_bswap16(folded);
    std::uint64_t total = std::uint64_t{sum} + folded;
    for (; at + 2 <= bytes.size(); at += 2) total += load_be16(&bytes[at]);
    if (at < bytes.size()) total += std::to_integer<std::uint64_t>(bytes[at]) << 8;
    return fold(total);
}

bool checksums_hold(std::span<const std::byte> frame, const frame_layers& layers) noexcept {
    if (layers.keys.transport == 0 || !layers.lengths_hold) return false;
    if (layers.keys.ip_version == 4) {
        if (internet_sum(ipv4_header(frame, layers)) != 0xffff) return false;
        const bool udp = layers.keys.transport == IPPROTO_UDP;
        if (udp && load_be16(&frame[layers.transport_offset + udp_checksum_offset]) == 0) return true;
    }
    return transport_sum(frame, layers) == 0xffff;
}

void finish_checksums(std::span<std::byte> frame) noexcept {
    const frame_layers layers = parse_frame(frame);
    if (layers.keys.ip_version == 4) {
        std::byte* field = &frame[layers.network_offset + 10];
        store_be16(field, 0);
        store_be16(field, static_cast<std::uint16_t>(~internet_sum(ipv4_header(frame, layers))));
    }
    if (layers.keys.transport == 0) return;
    const bool udp = layers.keys.transport == IPPROTO_UDP;
    std::byte* field = &frame[layers.transport_offset + (udp ? udp_checksum_offset : tcp_checksum_offset)];
    store_be16(field, 0);
    auto checksum = static_cast<std::uint16_t>(~transport_sum(frame, layers));
    if (udp && checksum == 0) checksum = 0xffff;  // zero would say that there is none
    store_be16(field, checksum);
}

void finish_partial_checksum(std::span<std::byte> frame, std::size_t start, std::size_t offset) noexcept {
    if (start >= frame.size() || start + offset + 2 > frame.size()) return;
    // The field holds the pseudo header's sum, so it is part of the sum.
    auto checksum = static_cast<std::uint16_t>(~internet_sum(frame.subspan(start)));
    if (checksum == 0 && offset == udp_checksum_offset) checksum = 0xffff;
    store_be16(&frame[start + offset], checksum);
}

}  // namespace softnic
