// SPDX-License-Identifier: BSD-3-Clause
/// Nothing that arrives from the network can crash, hang, leak, or make memory grow past the configuration.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/units.hpp>

#include "support/packet_builder.hpp"
#include "support/stream_bench.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

/// Sanitizers cost time and memory, which is not what tests of time and memory look for.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__has_feature)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
constexpr double time_factor = sanitized ? 10 : 1;

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total_pages = 0;
    std::uint64_t resident_pages = 0;
    statm >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool grown_less_than(std::uint64_t limit, std::uint64_t before) {
    return sanitized || resident_bytes() - before < limit;
}

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A heap whose one packet carries a control item of `size` bytes in its payload.
std::vector<wire_packet> addressed_control(std::size_t size) {
    return wire_heap{.cnt = 5, .values = {{item_id::stream_control, zeros(size)}}}.split({.packet_bytes_max = 8192});
}

std::vector<wire_item> distinct_items(std::size_t count, std::uint64_t first) {
    std::vector<wire_item> items;
    for (std::size_t i = 0; i < count; ++i) items.push_back(immediate(0x1000, first + i));
    return items;
}

}  // namespace

TEST_CASE("a HEAP_LENGTH above heap_bytes_max is rejected", "[hostile]") {
    for (const std::uint64_t length : {std::uint64_t{1} << 31, std::uint64_t{1} << 40, (std::uint64_t{1} << 47)}) {
        stream_bench bench;
        bench.feed({{.heap_length = length, .payload = pattern(64)}});
        CHECK(bench.rejected(reject_reason::heap_too_large) == 1);
        CHECK(bench.stats().account.live == 0);
    }
}

TEST_CASE("an item address above heap_bytes_max is rejected, also in an unsized heap", "[hostile]") {
    stream_bench bench;
    bench.feed({{.items = {addressed(0x1000, std::uint64_t{1} << 46)}, .payload = pattern(64)}});
    bench.feed_stop();
    CHECK(bench.rejected(reject_reason::heap_too_large) == 1);
    CHECK(bench.heaps.empty());
}

TEST_CASE("a payload end above heap_bytes_max is rejected", "[hostile]") {
    stream_bench bench{{.out_of_order = true}};
    bench.feed({{.payload_offset = 1_GiB, .payload = pattern(8)}});
    CHECK(bench.rejected(reject_reason::heap_too_large) == 1);
}

TEST_CASE("an addressed STREAM_CTRL of any length stops nothing and is read within its bounds", "[hostile]") {
    for (const std::size_t size : {1, 8, 9, 4096}) {
        stream_bench bench;
        bench.feed(addressed_control(size));
        REQUIRE(bench.heaps.size() == 1);
        CHECK(bench.heaps[0]->is_start() == (size <= 8));  // its bytes are zero, which says start
        CHECK_FALSE(bench.heaps[0]->is_stop());
        CHECK_FALSE(bench.stream().reason().stopped());
    }
}

TEST_CASE("a packet may have 65535 pointers", "[hostile]") {
    wire_packet crowded{.heap_length = 8, .payload = pattern(8)};
    crowded.items = distinct_items(65535 - 4, 0);
    stream_bench bench;
    CHECK(seconds_of([&] { bench.feed({crowded}); }) < 2);
    REQUIRE(bench.heaps.size() == 1);
    CHECK(bench.heaps[0]->items().size() == 65535 - 4);
}

TEST_CASE("thousands of pointers with one address are kept in their order of arrival", "[hostile]") {
    wire_packet crowded{.heap_length = 8, .payload = pattern(8)};
    for (std::uint64_t i = 0; i < 8000; ++i) crowded.items.push_back(addressed(0x1000 + i, 0));
    stream_bench bench;
    CHECK(seconds_of([&] { bench.feed({crowded}); }) < 2);
    REQUIRE(bench.heaps.size() == 1);
    // All but the last have no bytes, and are dropped.
    REQUIRE(bench.heaps[0]->items().size() == 1);
    CHECK(bench.heaps[0]->items()[0].id == 0x1000 + 7999);
}

TEST_CASE("empty packets cannot put more than heap_pointers_max pointers into a heap", "[hostile]") {
    std::vector<wire_packet> packets{{.heap_cnt = 1, .heap_length = 4096, .payload = {}}};
    for (std::uint64_t i = 0; i < 2000; ++i)
        packets.push_back({.heap_cnt = 1, .heap_length = 4096, .items = distinct_items(2000, i * 2000)});
    const std::vector<bytes> encoded = encode(packets);
    const std::uint64_t before = resident_bytes();
    stream_bench bench;
    CHECK(seconds_of([&] { bench.feed(encoded); }) < 5);
    CHECK(bench.rejected(reject_reason::too_many_pointers) > 1900);
    CHECK(grown_less_than(200_MiB + encoded.size() * encoded.back().size(), before));
    CHECK(bench.stats().account.balanced());
}

TEST_CASE("memory follows what came, not what is claimed", "[hostile]") {
    std::vector<wire_packet> packets;
    for (std::uint64_t cnt = 1; cnt <= 10'000; ++cnt)
        packets.push_back({.heap_cnt = cnt, .heap_length = 1_GiB, .payload = pattern(8)});
    const std::vector<bytes> encoded = encode(packets);
    const std::uint64_t before = resident_bytes();
    stream_bench bench{{.heaps_live_max = 64}};
    bench.feed(encoded);
    CHECK(grown_less_than(200_MiB, before));
    CHECK(bench.stats().account.delivered_incomplete + bench.stats().account.live == 10'000);
}

TEST_CASE("live heaps together stay under live_bytes_max", "[hostile]") {
    stream_bench bench{{.heaps_live_max = 4, .out_of_order = true, .live_bytes_max = 1_MiB}};
    std::vector<wire_packet> packets;
    for (std::uint64_t cnt = 1; cnt <= 4; ++cnt)
        packets.push_back({.heap_cnt = cnt, .heap_length = 1_MiB, .payload_offset = 400_KiB, .payload = pattern(8)});
    bench.feed(packets);
    CHECK(bench.rejected(reject_reason::live_bytes_full) == 2);
}

TEST_CASE("a full live_bytes_max gives way to a heap that evicts", "[hostile]") {
    stream_bench bench{{.heaps_live_max = 1, .out_of_order = true, .live_bytes_max = 1_MiB}};
    bench.feed({{.heap_cnt = 1, .heap_length = 1_MiB, .payload_offset = 1000_KiB, .payload = pattern(8)},
                {.heap_cnt = 2, .heap_length = 1_MiB, .payload_offset = 1000_KiB, .payload = pattern(8)}});
    CHECK(bench.rejected(reject_reason::live_bytes_full) == 0);
    CHECK(bench.cnts() == std::vector<std::uint64_t>{1});
}

TEST_CASE("a heap in pieces has at most heap_ranges_max of them", "[hostile]") {
    stream_bench bench{{.out_of_order = true, .heap_ranges_max = 100}};
    std::vector<wire_packet> packets;
    for (std::uint64_t i = 0; i < 150; ++i)
        packets.push_back({.heap_length = 100'000, .payload_offset = i * 16, .payload = pattern(8)});
    bench.feed(packets);
    CHECK(bench.rejected(reject_reason::too_many_ranges) == 50);
}

TEST_CASE("overlapping and repeated ranges are rejected, each under its name", "[hostile]") {
    stream_bench bench{{.out_of_order = true}};
    const auto part = [](std::uint64_t offset, std::size_t size) {
        return wire_packet{.heap_length = 1024, .payload_offset = offset, .payload = pattern(size)};
    };
    bench.feed({part(0, 64), part(128, 64), part(0, 64), part(32, 64), part(64, 128), part(64, 64), part(96, 8)});
    CHECK(bench.rejected(reject_reason::duplicate) == 2);
    CHECK(bench.rejected(reject_reason::overlap) == 2);
    bench.feed_stop();
    REQUIRE(bench.heaps.size() == 1);
    CHECK(std::vector(bench.heaps[0]->ranges().begin(), bench.heaps[0]->ranges().end()) ==
          std::vector<byte_range>{{0, 192}});
}

TEST_CASE("2 million tiny heaps that nobody reads do not hold up a stop", "[hostile]") {
    bytes input;
    const bytes one = wire_packet{.heap_cnt = 1, .heap_length = 8, .payload = pattern(8)}.encode();
    constexpr std::size_t count = 2'000'000;
    input.reserve(count * one.size());
    for (std::size_t i = 0; i < count; ++i) input.insert(input.end(), one.begin(), one.end());

    thread_pool pool{{.threads = 1}};
    ring_stream ring(pool, {.heaps = 4, .when_full = full_policy::drop_newest});
    ring.add_reader(memory_reader_config{.bytes = input});
    while (ring.stats().account.received < count / 20) std::this_thread::yield();
    const double seconds = seconds_of([&] { ring.stop(); });
    const stream_stats stats = ring.stats();
    CHECK(stats.account.received < count);
    CHECK(seconds < 0.010 * time_factor);
    CHECK(ring.source().size() == 4);
    CHECK(stats.account.balanced());
}
