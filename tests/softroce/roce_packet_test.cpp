// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/roce_packet.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace verbcast;
using namespace verbcast::test;

namespace {

bytes from_hex(std::string_view text) {
    bytes result;
    for (std::size_t i = 0; i < text.size(); i += 2)
        result.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    return result;
}

// Captured from rxe of Linux 6.1, from the IP header on: the end of roce_send's heaps over IPv4 and IPv6.
const bytes over_ipv4 = from_hex(
    "45000070c94840000111b4cc0a630001ef010203df9412b7005c00006430ffff00ffffff0000000211111111000000115304020600000006"
    "80010000000000038002000000000001800300000000000080040000000000018006000000000002000000000000000000000000042ed520");
const bytes over_ipv6 = from_hex(
    "60000000005c1101fd990000000000000000000000000001ff150000000000000000000000000003f80612b7005c00006430ffff00ffffff"
    "000000011111111100000012530402060000000680010000000000028002000000000001800300000000000080040000000000018006"
    "0000000000020000000000000000000000009cb212f5");

bytes without_checksum(const bytes& packet) { return {packet.begin(), packet.end() - 4}; }

bytes checksum_of(const bytes& packet) { return {packet.end() - 4, packet.end()}; }

bytes computed(const bytes& packet) {
    const auto checksum = invariant_checksum(without_checksum(packet));
    return {checksum.begin(), checksum.end()};
}

}  // namespace

TEST_CASE("the invariant checksum is the one that the kernel gives its packets", "[roce_packet]") {
    CHECK(computed(over_ipv4) == checksum_of(over_ipv4));
    CHECK(computed(over_ipv6) == checksum_of(over_ipv6));
}

TEST_CASE("what routers change does not change the invariant checksum, and anything else does", "[roce_packet]") {
    // Service, time to live, header checksum; the UDP checksum; the byte of congestion marks.
    const std::vector<std::size_t> changed_by_routers{1, 8, 10, 11, 26, 27, 32};
    for (std::size_t i = 1; i < over_ipv4.size() - 4; ++i) {
        bytes packet = over_ipv4;
        packet[i] ^= std::byte{0x10};
        const bool by_routers =
            std::find(changed_by_routers.begin(), changed_by_routers.end(), i) != changed_by_routers.end();
        INFO("byte " << i);
        CHECK((computed(packet) == checksum_of(over_ipv4)) == by_routers);
    }
}

TEST_CASE("a packet made by hand is byte for byte the kernel's", "[roce_packet]") {
    const roce_route route{.source = *verbs::ip_address::from_string("fd99::1"),
                           .destination = *verbs::ip_address::from_string("ff15::3"),
                           .source_port = 0xf806};
    const roce_packet packet{.source_pair = 0x12, .sequence = 1, .payload = stop_packet(2).encode()};
    CHECK(packet.encode(route) == bytes(over_ipv6.begin() + 48, over_ipv6.end()));
}
