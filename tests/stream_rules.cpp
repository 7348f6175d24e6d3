// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch.hpp>

#include <random>
#include <vector>

#include "support/packet_builder.hpp"
#include "support/stream_bench.hpp"
#include "support/stream_comparison.hpp"

using namespace verbcast;
using namespace verbcast::test;

TEST_CASE("whatever the packets, heaps and account are the reference's", "[stream]") {
    std::mt19937_64 random(20240609);
    for (int i = 0; i < 3000; ++i) {
        std::vector<std::uint8_t> script(random() % 400);
        for (std::uint8_t& each : script) each = static_cast<std::uint8_t>(random());
        INFO("script " << i);
        REQUIRE(compare_streams(script) == "");
    }
}

TEST_CASE("behind an item address beyond HEAP_LENGTH, each packet that says this length is rejected", "[stream]") {
    wire_packet part{.heap_cnt = 1, .heap_length = 32, .items = {addressed(0x1000, 40)}, .payload = pattern(16)};
    stream_bench bench;
    bench.feed({part.encode()});
    part.payload_offset = 16;  // else as the packet before
    bench.feed({part.encode(), part.encode()});
    CHECK(bench.rejected(reject_reason::length_too_small) == 2);
    CHECK(bench.stats().account.live == 1);
}

TEST_CASE("of two live heaps with one cnt, a packet belongs to the newer", "[stream]") {
    // Whole heaps but for an item address beyond their end: not looked up, and not complete.
    const wire_packet whole{.heap_cnt = 1, .heap_length = 8, .items = {addressed(0x1000, 20)}, .payload = pattern(8)};
    const wire_packet other{.heap_cnt = 9, .payload = pattern(8)};
    wire_packet more = whole;
    more.heap_length.reset();
    more.payload_offset = 8;
    stream_bench bench{{.heaps_live_max = 3}};
    bench.feed({whole.encode(), whole.encode(), other.encode(), more.encode()});
    bench.feed_stop();
    REQUIRE(bench.cnts() == std::vector<std::uint64_t>{1, 1, 9});
    CHECK(bench.heaps[0]->received_bytes() == 8);
    CHECK(bench.heaps[1]->received_bytes() == 16);
}

TEST_CASE("behind a packet with many pointers that was rejected, one pointer twice is still one item", "[stream]") {
    wire_packet part{.heap_cnt = 1, .heap_length = 64, .payload = pattern(16)};
    const auto at = [&part](std::uint64_t offset, std::vector<wire_item> items) {
        part.payload_offset = offset;
        part.items = std::move(items);
        return part.encode();
    };
    std::vector<wire_item> many;
    for (std::uint64_t i = 0; i < 30; ++i) many.push_back(immediate(0x2000, i));
    const wire_item one = immediate(0x1000, 1);
    const wire_item two = immediate(0x1001, 2);
    stream_bench bench{{.out_of_order = true}};
    bench.feed({at(0, {}), at(0, many), at(16, {one, two}), at(32, {two, one}), at(48, {})});
    REQUIRE(bench.heaps.size() == 1);
    CHECK(bench.rejected(reject_reason::duplicate) == 1);
    CHECK(bench.heaps[0]->items().size() == 2);
}
