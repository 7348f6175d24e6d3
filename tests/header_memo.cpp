// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <optional>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include "src/header_memo.hpp"
#include "support/packet_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

bool same(const packet& a, const packet& b) {
    return a.heap_cnt == b.heap_cnt && a.heap_length == b.heap_length && a.payload_offset == b.payload_offset &&
           a.payload.data() == b.payload.data() && a.payload.size() == b.payload.size() &&
           a.pointers.data() == b.pointers.data() && a.pointers.size() == b.pointers.size() &&
           a.address_max == b.address_max && a.bytes == b.bytes && a.items == b.items &&
           a.address_bits == b.address_bits && a.stops == b.stops;
}

/// A packet such as senders make, with now and then a field that is out of the ordinary.
wire_packet random_packet(std::mt19937_64& random) {
    const auto below = [&random](std::uint64_t bound) { return random() % bound; };
    wire_packet made{.address_bits = below(8) == 0 ? 40U : 48U, .heap_cnt = below(3), .payload = pattern(8 * below(5))};
    if (below(4) != 0) made.heap_length = 8 * below(8);
    made.payload_offset = 8 * below(4);
    for (std::uint64_t i = below(4); i > 0; --i)
        made.items.push_back(below(2) == 0 ? immediate(below(8), below(4)) : addressed(0x1000 + below(2), below(16)));
    return made;
}

}  // namespace

TEST_CASE("a recalled header says what decoding would", "[header_memo]") {
    std::mt19937_64 random(1);
    std::size_t recalled = 0;
    for (int round = 0; round < 200'000; ++round) {
        const bytes first = random_packet(random).encode();
        bytes second = random_packet(random).encode();
        if (round % 2 == 0) {  // the same but for a few bytes
            second = first;
            for (std::uint64_t i = random() % 3; i > 0; --i) second[random() % second.size()] ^= std::byte{1};
        }
        packet decoded;
        if (decode_datagram(first, decoded)) continue;
        header_memo memo;
        memo.remember(first, decoded);
        const packet* const recalled_packet = memo.recall(second);
        if (!recalled_packet) continue;
        ++recalled;
        packet expected;
        REQUIRE_FALSE(decode_datagram(second, expected));
        REQUIRE(same(*recalled_packet, expected));
    }
    CHECK(recalled > 10'000);
}

TEST_CASE("a packet that goes on behind the same header is recalled", "[header_memo]") {
    const std::vector<wire_packet> heap =
        wire_heap{.cnt = 7, .values = {{0x1000, pattern(4000)}}}.split({.repeat_pointers = true});
    const bytes first = heap[0].encode();
    packet decoded;
    REQUIRE_FALSE(decode_datagram(first, decoded));
    header_memo memo;
    memo.remember(first, decoded);
    const bytes second = heap[1].encode();
    const packet* const recalled = memo.recall(second);
    REQUIRE(recalled);
    CHECK(recalled->payload_offset == heap[1].payload_offset);
}

TEST_CASE("nothing is recalled before a header was remembered", "[header_memo]") {
    header_memo memo;
    CHECK_FALSE(memo.recall({}));
    CHECK_FALSE(memo.recall(wire_packet{.payload = pattern(8)}.encode()));
}

TEST_CASE("a header that stops the stream is not remembered", "[header_memo]") {
    const bytes stop = stop_packet(3).encode();
    packet decoded;
    REQUIRE_FALSE(decode_datagram(stop, decoded));
    header_memo memo;
    memo.remember(stop, decoded);
    CHECK_FALSE(memo.recall(stop));
}
