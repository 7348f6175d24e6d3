// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "support/frame_builder.hpp"
#include "verbs/frame_sorter.hpp"

using namespace verbcast::verbs;
using verbcast::test::bytes;
using verbcast::test::wire_datagram;
using verbcast::test::wire_vlan;

namespace {

flow_match match_of(const std::string& destination, std::uint16_t port, const std::string& source = "",
                    std::optional<std::uint16_t> vlan = {}) {
    flow_match match{.destination = ip_address::from_string(destination).value(), .port = port, .vlan = vlan};
    if (!source.empty()) match.source = ip_address::from_string(source);
    return match;
}

bytes frame_of(const wire_datagram& datagram, const std::vector<wire_vlan>& tags = {}) {
    return verbcast::test::ethernet_frame(datagram.encode(), tags);
}

sorted_frame sort(frame_sorter& sorter, const bytes& frame) { return sorter.sort(frame, checksum_check::skip); }

/// What the sorter must say, found the long way: every frame by a sorter that has seen no other.
sorted_frame sort_alone(const std::vector<flow_match>& rules, const bytes& frame) {
    frame_sorter fresh;
    for (const flow_match& each : rules) fresh.add(each);
    return sort(fresh, frame);
}

bool same(const sorted_frame& left, const sorted_frame& right) {
    return left.kind == right.kind && left.rule == right.rule && left.payload == right.payload &&
           left.payload_bytes == right.payload_bytes;
}

}  // namespace

TEST_CASE("a frame is sorted by its destination, port, source and tag", "[frame_sorter]") {
    frame_sorter sorter;
    sorter.add(match_of("239.255.88.1", 7148));
    sorter.add(match_of("239.255.88.1", 7149));
    sorter.add(match_of("232.1.1.1", 7148, "10.0.0.2"));
    sorter.add(match_of("ff15::88", 7148));
    sorter.add(match_of("239.255.88.2", 7148, "", 7));
    CHECK(sort(sorter, frame_of({.payload = {std::byte{1}}})).rule == 0);
    CHECK(sort(sorter, frame_of({.destination_port = 7149})).rule == 1);
    CHECK(sort(sorter, frame_of({.source = "10.0.0.2", .destination = "232.1.1.1"})).rule == 2);
    CHECK(sort(sorter, frame_of({.source = "10.0.0.3", .destination = "232.1.1.1"})).rule == sorted_frame::no_rule);
    CHECK(sort(sorter, frame_of({.source = "fd99::1", .destination = "ff15::88"})).rule == 3);
    CHECK(sort(sorter, frame_of({.destination = "239.255.88.2"}, {{.id = 7}})).rule == 4);
    CHECK(sort(sorter, frame_of({.destination = "239.255.88.2"}, {{.id = 8}})).rule == sorted_frame::no_rule);
    CHECK(sort(sorter, frame_of({.destination = "239.255.88.2"})).rule == sorted_frame::no_rule);
}

TEST_CASE("of two rules for one destination the one with a source goes before", "[frame_sorter]") {
    frame_sorter sorter;
    sorter.add(match_of("232.1.1.1", 7148));
    sorter.add(match_of("232.1.1.1", 7148, "10.0.0.2"));
    CHECK(sort(sorter, frame_of({.source = "10.0.0.2", .destination = "232.1.1.1"})).rule == 1);
    CHECK(sort(sorter, frame_of({.source = "10.0.0.3", .destination = "232.1.1.1"})).rule == 0);
}

TEST_CASE("a frame is sorted the same whatever came before it", "[frame_sorter]") {
    const std::vector<flow_match> rules = {match_of("239.255.88.1", 7148), match_of("239.255.88.2", 7148),
                                           match_of("232.1.1.1", 7148, "10.0.0.2"), match_of("ff15::88", 7148)};
    frame_sorter sorter;
    for (const flow_match& each : rules) sorter.add(each);
    std::mt19937_64 random(1);
    const auto below = [&random](std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
    };
    const std::vector<bytes> sources = {
        frame_of({.payload = bytes(100)}),
        frame_of({.destination = "239.255.88.2", .payload = bytes(100)}),
        frame_of({.source = "10.0.0.2", .destination = "232.1.1.1", .payload = bytes(9)}),
        frame_of({.payload = bytes(33)}, {{.id = 5}}),
        frame_of({.source = "fd99::1", .destination = "ff15::88", .payload = bytes(64)}),
        frame_of({.payload = bytes(50), .options = bytes(4)}),
        frame_of({.payload = bytes(50), .flags_and_offset = 0x2000}),
    };
    std::size_t plain = 0;
    for (int i = 0; i < 20'000; ++i) {
        bytes frame = sources[below(sources.size())];
        // Half of them are damaged: a bit of the headers, or the end.
        if (below(2) == 0) frame[below(std::min<std::size_t>(frame.size(), 50))] ^= std::byte{1} << below(8);
        if (below(8) == 0) frame.resize(below(frame.size() + 1));
        const sorted_frame found = sort(sorter, frame);
        REQUIRE(same(found, sort_alone(rules, frame)));
        plain += found.kind == frame_kind::udp && found.rule == 0;
    }
    CHECK(plain > 1000);
}

TEST_CASE("with checksums to be verified no frame is taken by its looks", "[frame_sorter]") {
    frame_sorter sorter;
    sorter.add(match_of("239.255.88.1", 7148));
    bytes frame = frame_of({.payload = bytes(100)});
    CHECK(sorter.sort(frame, checksum_check::verify).kind == frame_kind::udp);
    frame.back() ^= std::byte{1};
    CHECK(sorter.sort(frame, checksum_check::verify).kind == frame_kind::bad_checksum);
    CHECK(sorter.sort(frame, checksum_check::skip).kind == frame_kind::udp);
}

TEST_CASE("the MAC address of a group is that of RFC 1112 and RFC 2464", "[frame_sorter]") {
    const auto mac = [](const std::string& group) { return multicast_mac(ip_address::from_string(group).value()); };
    const auto octets = [](std::initializer_list<unsigned> all) {
        mac_address result{};
        std::transform(all.begin(), all.end(), result.begin(),
                       [](unsigned each) { return static_cast<std::byte>(each); });
        return result;
    };
    CHECK(mac("239.255.88.1") == octets({0x01, 0x00, 0x5e, 0x7f, 0x58, 0x01}));
    CHECK(mac("224.128.0.5") == octets({0x01, 0x00, 0x5e, 0x00, 0x00, 0x05}));
    CHECK(mac("ff15::1:ff00:88") == octets({0x33, 0x33, 0xff, 0x00, 0x00, 0x88}));
}
