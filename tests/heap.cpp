// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include <verbcast/heap.hpp>

#include "support/stream_bench.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

heap_ref one_heap() {
    stream_bench bench;
    bench.feed(wire_heap{.cnt = 3, .values = {{0x1000, pattern(100)}, {0x1001, pattern(60, 2)}}}.split());
    return std::move(bench.heaps.at(0));
}

}  // namespace

TEST_CASE("a heap outlives its stream", "[heap]") {
    const heap_ref kept = one_heap();
    CHECK(kept->cnt() == 3);
    const bytes expected = pattern(100);
    CHECK(bytes(kept->items()[0].bytes.begin(), kept->items()[0].bytes.end()) == expected);
}

TEST_CASE("the only reference becomes writable without a copy", "[heap]") {
    heap_ref alone = one_heap();
    const std::byte* const before = alone->payload().data();
    writable_heap writable = make_writable(std::move(alone));
    CHECK_FALSE(alone);  // NOLINT(bugprone-use-after-move): that is the question
    CHECK(writable.payload().data() == before);
}

TEST_CASE("one of several references becomes writable as a copy, and the others see nothing of it", "[heap]") {
    heap_ref shared = one_heap();
    const heap_ref other = shared;
    writable_heap writable = make_writable(std::move(shared));
    REQUIRE(writable.payload().data() != other->payload().data());
    REQUIRE(writable->items().size() == 2);
    CHECK(writable->cnt() == other->cnt());
    CHECK(bytes(writable->items()[1].bytes.begin(), writable->items()[1].bytes.end()) == pattern(60, 2));
    writable.item_bytes(1)[0] = std::byte{0xff};
    CHECK(writable->items()[1].bytes[0] == std::byte{0xff});
    CHECK(other->items()[1].bytes[0] == pattern(60, 2)[0]);
    const heap_ref again = std::move(writable).share();
    CHECK(again->items()[1].bytes[0] == std::byte{0xff});
}

TEST_CASE("references may be copied and dropped by many threads", "[heap]") {
    heap_ref shared = one_heap();
    std::atomic<std::uint64_t> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([mine = shared, &sum] {
            for (int turn = 0; turn < 1000; ++turn) {
                std::vector<heap_ref> copies{mine, mine};
                sum.fetch_add(copies.back()->cnt(), std::memory_order_relaxed);
            }
        });
    }
    for (std::thread& each : threads) each.join();
    CHECK(sum == 12000);
    const std::byte* const before = shared->payload().data();
    const writable_heap writable = make_writable(std::move(shared));
    CHECK(writable->payload().data() == before);  // no other reference is left
}
