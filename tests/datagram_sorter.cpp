// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/datagram_sorter.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>

#include <catch2/catch.hpp>

#include "support/packet_builder.hpp"
#include "verbs/datagram_queue_pair.hpp"

using namespace verbcast::test;
using namespace verbcast::verbs;

namespace {

ip_address address(const std::string& text) { return ip_address::from_string(text).value(); }

flow_match group(const std::string& destination, const char* source = nullptr) {
    flow_match match{.destination = address(destination), .port = 4791};
    if (source != nullptr) match.source = address(source);
    return match;
}

void put(bytes& to, std::size_t at, const ip_address& what) {
    std::copy_n(what.bytes.begin(), what.family == ip_family::v4 ? 4 : 16,
                to.begin() + static_cast<std::ptrdiff_t>(at));
}

/// What a device writes: 20 bytes that mean nothing, an IPv4 header, the payload.
bytes over_ipv4(const std::string& source, const std::string& destination, std::size_t payload, unsigned filling = 0) {
    bytes slot(20, static_cast<std::byte>(filling));
    const bytes header = from_octets({0x45, 0, 0, 100, 0, 0, 0x40, 0, 1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    slot.insert(slot.end(), header.begin(), header.end());
    put(slot, 32, address(source));
    put(slot, 36, address(destination));
    unsigned sum = 0;
    for (std::size_t i = 20; i < 40; i += 2)
        sum += std::to_integer<unsigned>(slot[i]) << 8 | std::to_integer<unsigned>(slot[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    slot[30] = static_cast<std::byte>(sum >> 8 & 0xff);
    slot[31] = static_cast<std::byte>(sum & 0xff);
    slot.resize(slot.size() + payload, std::byte{0xee});
    return slot;
}

bytes over_ipv6(const std::string& source, const std::string& destination, std::size_t payload) {
    bytes slot = from_octets({0x60, 0, 0, 0, 0, 100, 0x1b, 1});
    slot.resize(route_header_bytes);
    put(slot, 8, address(source));
    put(slot, 24, address(destination));
    slot.resize(slot.size() + payload, std::byte{0xee});
    return slot;
}

}  // namespace

TEST_CASE("the payload of a datagram begins behind its route header", "[datagram_sorter]") {
    datagram_sorter sorter;
    sorter.add(group("239.1.1.1"));
    const bytes slot = over_ipv4("10.0.0.1", "239.1.1.1", 100);
    const sorted_frame found = sorter.sort(slot);
    CHECK(found.kind == frame_kind::udp);
    CHECK(found.rule == 0);
    CHECK(found.payload == &slot[40]);
    CHECK(found.payload_bytes == 100);
}

TEST_CASE("a datagram belongs to the group that it was sent to, over IPv4 and IPv6", "[datagram_sorter]") {
    datagram_sorter sorter;
    for (const char* each : {"239.1.1.1", "239.1.1.2", "ff15::1"}) sorter.add(group(each));
    for (int round = 0; round < 2; ++round) {
        CHECK(sorter.sort(over_ipv4("10.0.0.1", "239.1.1.1", 1)).rule == 0);
        CHECK(sorter.sort(over_ipv4("10.0.0.1", "239.1.1.2", 1)).rule == 1);
        CHECK(sorter.sort(over_ipv6("fd99::1", "ff15::1", 1)).rule == 2);
        const sorted_frame other = sorter.sort(over_ipv4("10.0.0.1", "239.1.1.3", 1));
        CHECK(other.kind == frame_kind::udp);
        CHECK(other.rule == sorted_frame::no_rule);
    }
}

TEST_CASE("of a group with sources a datagram belongs to its source, else to the group without one",
          "[datagram_sorter]") {
    datagram_sorter sorter;
    sorter.add(group("232.1.1.1"));
    sorter.add(group("232.1.1.1", "10.0.0.2"));
    sorter.add(group("232.1.1.2", "10.0.0.2"));
    CHECK(sorter.sort(over_ipv4("10.0.0.2", "232.1.1.1", 1)).rule == 1);
    CHECK(sorter.sort(over_ipv4("10.0.0.3", "232.1.1.1", 1)).rule == 0);
    CHECK(sorter.sort(over_ipv4("10.0.0.2", "232.1.1.2", 1)).rule == 2);
    CHECK(sorter.sort(over_ipv4("10.0.0.3", "232.1.1.2", 1)).rule == sorted_frame::no_rule);
}

TEST_CASE("what stands in front of an IPv4 header tells nothing", "[datagram_sorter]") {
    datagram_sorter sorter;
    sorter.add(group("239.1.1.1"));
    for (unsigned filling = 0; filling < 256; ++filling)
        CHECK(sorter.sort(over_ipv4("10.0.0.1", "239.1.1.1", 1, filling)).rule == 0);
}

TEST_CASE("an IPv6 header that looks like IPv4 further on is IPv6 unless that adds up", "[datagram_sorter]") {
    datagram_sorter sorter;
    sorter.add(group("ff15::1"));
    // Byte 20 is in the source.
    CHECK(sorter.sort(over_ipv6("fd99::4500:1", "ff15::1", 1)).rule == 0);
}

TEST_CASE("a route header that is neither, or is not whole, is bad", "[datagram_sorter]") {
    datagram_sorter sorter;
    sorter.add(group("239.1.1.1"));
    bytes slot = over_ipv4("10.0.0.1", "239.1.1.1", 10);
    slot[20] = std::byte{0x46};
    CHECK(sorter.sort(slot).kind == frame_kind::bad);
    const bytes good = over_ipv4("10.0.0.1", "239.1.1.1", 0);
    CHECK(sorter.sort(good).payload_bytes == 0);
    for (std::size_t size = 0; size < route_header_bytes; ++size)
        CHECK(sorter.sort(std::span(good).first(size)).kind == frame_kind::bad);
}

TEST_CASE("datagrams of RoCE are not received from an InfiniBand network", "[datagram_queue_pair]") {
    ibv_port_attr port{};
    port.link_layer = IBV_LINK_LAYER_ETHERNET;
    CHECK_NOTHROW(require_ethernet(port, "mlx5_0 port 1"));
    port.link_layer = IBV_LINK_LAYER_INFINIBAND;
    CHECK_THROWS_WITH(require_ethernet(port, "mlx5_0 port 1"),
                      "datagrams of RoCE on mlx5_0 port 1: Operation not supported: its network is InfiniBand: receive "
                      "through its IP interface and sockets (udp)");
}
