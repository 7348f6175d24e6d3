// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame.hpp"

#include "support/frame_builder.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <ostream>

namespace verbcast::verbs {
std::ostream& operator<<(std::ostream& out, frame_kind kind) { return out << name(kind); }
}  // namespace verbcast::verbs

using namespace verbcast::test;
using namespace verbcast::verbs;

namespace {

struct parsed {
    frame_kind kind{};
    udp_frame frame;
    bytes payload;
};

parsed parse(const bytes& frame, link_layer link = link_layer::ethernet, std::optional<std::size_t> captured = {},
             checksum_check checksums = checksum_check::skip) {
    // A copy of its own, so that the sanitizers see a read beyond it.
    const bytes kept(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(captured.value_or(frame.size())));
    parsed result;
    result.kind = parse_frame(link, kept, frame.size(), checksums, result.frame);
    if (result.kind == frame_kind::udp) {
        result.payload.assign(result.frame.payload.begin(), result.frame.payload.end());
        result.frame.payload = {};
    }
    return result;
}

wire_datagram v4(const bytes& payload = pattern(100)) { return {.payload = payload}; }
wire_datagram v6(const bytes& payload = pattern(100)) {
    return {.source = "fe80::1", .destination = "ff05::7148", .payload = payload};
}

bytes with_byte_changed(bytes frame, std::size_t at) {
    frame.at(at) ^= std::byte{0x10};
    return frame;
}

}  // namespace

TEST_CASE("a UDP datagram is found behind an Ethernet header", "[frame]") {
    const parsed result = parse(ethernet_frame(v4().encode()));
    REQUIRE(result.kind == frame_kind::udp);
    CHECK(result.payload == pattern(100));
    CHECK(to_string(result.frame.source, result.frame.source_port) == "10.0.0.1:12345");
    CHECK(to_string(result.frame.destination, result.frame.destination_port) == "239.255.88.1:7148");
    CHECK_FALSE(result.frame.vlan);
}

TEST_CASE("a datagram over IPv6 has its addresses and ports", "[frame]") {
    const parsed result = parse(ethernet_frame(v6().encode()));
    REQUIRE(result.kind == frame_kind::udp);
    CHECK(result.payload == pattern(100));
    CHECK(to_string(result.frame.source, result.frame.source_port) == "[fe80::1]:12345");
    CHECK(to_string(result.frame.destination, result.frame.destination_port) == "[ff05::7148]:7148");
}

TEST_CASE("Linux cooked and bare IP frames are taken like Ethernet ones", "[frame]") {
    const bytes packet = GENERATE(v4().encode(), v6().encode());
    CHECK(parse(cooked_v1_frame(packet), link_layer::linux_cooked_v1).payload == pattern(100));
    CHECK(parse(cooked_v2_frame(packet), link_layer::linux_cooked_v2).payload == pattern(100));
    CHECK(parse(packet, link_layer::raw_ip).payload == pattern(100));
}

TEST_CASE("VLAN and QinQ tags are passed over, and the outermost id is told", "[frame]") {
    const bytes packet = GENERATE(v4().encode(), v6().encode());
    const parsed tagged = parse(ethernet_frame(packet, {{0x8100, 42}}));
    CHECK(tagged.payload == pattern(100));
    CHECK(tagged.frame.vlan == 42);

    const parsed stacked = parse(ethernet_frame(packet, {{0x88a8, 100}, {0x8100, 42}}));
    CHECK(stacked.payload == pattern(100));
    CHECK(stacked.frame.vlan == 100);

    const parsed old_stacked = parse(ethernet_frame(packet, {{0x9100, 100}, {0x8100, 42}}));
    CHECK(old_stacked.payload == pattern(100));

    const parsed cooked = parse(cooked_v1_frame(packet, {{0x8100, 42}}), link_layer::linux_cooked_v1);
    CHECK(cooked.payload == pattern(100));
    CHECK(cooked.frame.vlan == 42);
}

TEST_CASE("a tag's priority is not its id, and a tag with id 0 is none", "[frame]") {
    CHECK(parse(ethernet_frame(v4().encode(), {{0x8100, 0xe02a}})).frame.vlan == 42);
    const parsed priority_only = parse(ethernet_frame(v4().encode(), {{0x8100, 0xe000}}));
    CHECK(priority_only.kind == frame_kind::udp);
    CHECK_FALSE(priority_only.frame.vlan);
}

TEST_CASE("more tags than the bound are a bad frame", "[frame]") {
    CHECK(parse(ethernet_frame(v4().encode(), std::vector<wire_vlan>(vlan_tags_max))).kind == frame_kind::udp);
    CHECK(parse(ethernet_frame(v4().encode(), std::vector<wire_vlan>(vlan_tags_max + 1))).kind == frame_kind::bad);
}

TEST_CASE("IPv4 options are passed over", "[frame]") {
    const std::size_t words = GENERATE(1U, 4U, 10U);
    wire_datagram with_options = v4();
    with_options.options = bytes(words * 4, std::byte{1});
    CHECK(parse(ethernet_frame(with_options.encode())).payload == pattern(100));
}

TEST_CASE("IPv6 extension headers are passed over", "[frame]") {
    wire_datagram extended = v6();
    extended.extensions = {hop_by_hop_options(), destination_options(3), authentication_header(), fragment_header(0),
                           destination_options()};
    CHECK(parse(ethernet_frame(extended.encode())).payload == pattern(100));
}

TEST_CASE("more extension headers than the bound are a bad frame", "[frame]") {
    wire_datagram extended = v6();
    extended.extensions.assign(extension_headers_max, destination_options());
    CHECK(parse(ethernet_frame(extended.encode())).kind == frame_kind::udp);
    extended.extensions.push_back(destination_options());
    CHECK(parse(ethernet_frame(extended.encode())).kind == frame_kind::bad);
}

TEST_CASE("a piece of a fragmented datagram is a fragment, first or last", "[frame]") {
    wire_datagram piece = v4();
    piece.flags_and_offset = GENERATE(as<std::uint16_t>{}, 0x2000, 0x2010, 0x0010);
    CHECK(parse(ethernet_frame(piece.encode())).kind == frame_kind::fragment);
}

TEST_CASE("the reserved and the do-not-fragment bit make no fragment", "[frame]") {
    wire_datagram whole = v4();
    whole.flags_and_offset = GENERATE(as<std::uint16_t>{}, 0x0000, 0x4000, 0x8000);
    CHECK(parse(ethernet_frame(whole.encode())).kind == frame_kind::udp);
}

TEST_CASE("a piece of a fragmented IPv6 datagram is a fragment, first or last", "[frame]") {
    wire_datagram piece = v6();
    piece.extensions = {fragment_header(GENERATE(as<std::uint16_t>{}, 0x0001, 0x0009, 0x0008))};
    CHECK(parse(ethernet_frame(piece.encode())).kind == frame_kind::fragment);
    piece.protocol = 6;
    CHECK(parse(ethernet_frame(piece.encode())).kind == frame_kind::not_udp);
}

TEST_CASE("other protocols than IP are named so", "[frame]") {
    bytes arp = ethernet_frame(v4().encode());
    arp[13] = std::byte{0x06};
    CHECK(parse(arp).kind == frame_kind::not_ip);
    CHECK(parse(zeros(40), link_layer::raw_ip).kind == frame_kind::not_ip);
}

TEST_CASE("other protocols than UDP are named so, fragments of them too", "[frame]") {
    wire_datagram tcp = GENERATE(v4(), v6());
    tcp.protocol = GENERATE(as<std::uint8_t>{}, 6, 1, 59);
    CHECK(parse(ethernet_frame(tcp.encode())).kind == frame_kind::not_udp);
    tcp.flags_and_offset = 0x2000;
    CHECK(parse(ethernet_frame(tcp.encode())).kind == frame_kind::not_udp);
}

TEST_CASE("padding behind a short datagram is not payload", "[frame]") {
    const parsed result = parse(ethernet_frame(v4(pattern(3)).encode(), {}, zeros(29)));
    CHECK(result.payload == pattern(3));
}

TEST_CASE("a UDP length shorter than the IP packet ends the payload", "[frame]") {
    wire_datagram shorter = GENERATE(v4(), v6());
    shorter.udp_length = 8 + 60;
    const bytes whole = pattern(100);
    CHECK(parse(ethernet_frame(shorter.encode())).payload == bytes(whole.begin(), whole.begin() + 60));
}

TEST_CASE("an empty datagram is a datagram", "[frame]") {
    const parsed result = parse(ethernet_frame(GENERATE(v4(bytes{}), v6(bytes{})).encode()));
    CHECK(result.kind == frame_kind::udp);
    CHECK(result.payload.empty());
}

TEST_CASE("a UDP length that contradicts the IP packet is bad, and the group is known", "[frame]") {
    wire_datagram wrong = GENERATE(v4(), v6());
    wrong.udp_length = GENERATE(as<std::uint16_t>{}, 0, 7, 109, 212, 65535);
    const parsed result = parse(ethernet_frame(wrong.encode(), {}, zeros(200)));
    CHECK(result.kind == frame_kind::bad);
    CHECK(result.frame.destination_port == 7148);
}

TEST_CASE("an IP length that contradicts the frame is bad", "[frame]") {
    wire_datagram wrong = v4();
    wrong.ip_length = GENERATE(as<std::uint16_t>{}, 0, 19, 20, 27, 129, 65535);
    CHECK(parse(ethernet_frame(wrong.encode())).kind == frame_kind::bad);
    wrong = v6();
    wrong.ip_length = GENERATE(as<std::uint16_t>{}, 0, 7, 109, 65535);
    CHECK(parse(ethernet_frame(wrong.encode())).kind == frame_kind::bad);
}

TEST_CASE("an IP version or header length that cannot be is bad", "[frame]") {
    bytes wrong_v4 = ethernet_frame(v4().encode());
    wrong_v4[14] = std::byte{GENERATE(as<unsigned char>{}, 0x44, 0x40, 0x55, 0x65)};
    CHECK(parse(wrong_v4).kind == frame_kind::bad);
    bytes wrong_v6 = ethernet_frame(v6().encode());
    wrong_v6[14] = std::byte{GENERATE(as<unsigned char>{}, 0x40, 0x45, 0x50, 0x00)};
    CHECK(parse(wrong_v6).kind == frame_kind::bad);
}

TEST_CASE("a frame shorter than its headers is bad, wherever it ends", "[frame]") {
    const bytes whole = GENERATE(ethernet_frame(v4(bytes{}).encode(), {{0x8100, 42}}),
                                 ethernet_frame(v6(bytes{}).encode(), {{0x8100, 42}}));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        CHECK(parse(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))).kind == frame_kind::bad);
    }
}

TEST_CASE("a frame cut by the capture is cut, wherever it ends, until its last payload byte", "[frame]") {
    const bytes whole = GENERATE(ethernet_frame(v4().encode(), {{0x88a8, 1}, {0x8100, 2}}, zeros(4)),
                                 ethernet_frame(v6().encode(), {}, zeros(4)));
    const std::size_t datagram_end = whole.size() - 4;
    for (std::size_t captured = 0; captured < datagram_end; ++captured) {
        CAPTURE(captured);
        CHECK(parse(whole, link_layer::ethernet, captured).kind == frame_kind::cut);
    }
    CHECK(parse(whole, link_layer::ethernet, datagram_end).kind == frame_kind::udp);
}

TEST_CASE("a cut frame whose UDP header is there tells its group", "[frame]") {
    const bytes whole = ethernet_frame(v4().encode());
    CHECK(parse(whole, link_layer::ethernet, 14 + 20 + 7).frame.destination_port == 0);
    const parsed result = parse(whole, link_layer::ethernet, 14 + 20 + 8);
    CHECK(result.kind == frame_kind::cut);
    CHECK(to_string(result.frame.destination, result.frame.destination_port) == "239.255.88.1:7148");
}

TEST_CASE("lengths that contradict the frame on the wire are bad even where the capture is cut", "[frame]") {
    wire_datagram wrong = v4();
    wrong.ip_length = 1000;
    CHECK(parse(ethernet_frame(wrong.encode()), link_layer::ethernet, 14 + 20 + 8).kind == frame_kind::bad);
}

TEST_CASE("checksums are verified on demand", "[frame]") {
    const bytes packet = GENERATE(v4().encode(), v4(pattern(101)).encode(), v6().encode(), v6(pattern(33)).encode());
    const bytes frame = ethernet_frame(packet);
    const auto verified = [](const bytes& bytes_of_frame) {
        return parse(bytes_of_frame, link_layer::ethernet, {}, checksum_check::verify).kind;
    };
    CHECK(verified(frame) == frame_kind::udp);
    const bytes damaged = with_byte_changed(frame, frame.size() - 1);
    CHECK(verified(damaged) == frame_kind::bad_checksum);
    CHECK(parse(damaged).kind == frame_kind::udp);
}

TEST_CASE("a damaged address or port does not pass the checksum", "[frame]") {
    const bytes frame = ethernet_frame(GENERATE(v4(), v6()).encode());
    const bool is_v4 = frame[12] == std::byte{0x08};
    const std::size_t at = is_v4 ? GENERATE(14U + 12, 14U + 19, 14U + 20) : GENERATE(14U + 8, 14U + 39, 14U + 40);
    CHECK(parse(with_byte_changed(frame, at), link_layer::ethernet, {}, checksum_check::verify).kind ==
          frame_kind::bad_checksum);
}

TEST_CASE("the IPv4 header has a checksum of its own", "[frame]") {
    const bytes frame = with_byte_changed(ethernet_frame(v4().encode()), 14 + 8);
    CHECK(parse(frame, link_layer::ethernet, {}, checksum_check::verify).kind == frame_kind::bad_checksum);
}

TEST_CASE("a datagram without a checksum passes over IPv4 and not over IPv6", "[frame]") {
    wire_datagram unsummed = v4();
    unsummed.udp_checksum = false;
    CHECK(parse(ethernet_frame(unsummed.encode()), link_layer::ethernet, {}, checksum_check::verify).kind ==
          frame_kind::udp);
    unsummed = v6();
    unsummed.udp_checksum = false;
    CHECK(parse(ethernet_frame(unsummed.encode()), link_layer::ethernet, {}, checksum_check::verify).kind ==
          frame_kind::bad_checksum);
}

TEST_CASE("a checksum over bytes that the capture cut is not looked at", "[frame]") {
    CHECK(parse(ethernet_frame(v4().encode()), link_layer::ethernet, 60, checksum_check::verify).kind ==
          frame_kind::cut);
}
