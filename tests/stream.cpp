// SPDX-License-Identifier: BSD-3-Clause
/// From packets to heaps, rule by rule.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <stdexcept>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <verbcast/error.hpp>
#include <verbcast/stream.hpp>

#include "support/stream_bench.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

using ids = std::vector<std::uint64_t>;

constexpr std::size_t part_bytes = 64;

/// Part `index` of the `count` parts of heap `cnt`.
wire_packet part(std::uint64_t cnt, std::uint64_t index, std::uint64_t count) {
    return {.heap_cnt = cnt,
            .heap_length = count * part_bytes,
            .payload_offset = index * part_bytes,
            .payload = pattern(part_bytes, cnt * 100 + index)};
}

wire_packet unsized(std::uint64_t cnt, std::uint64_t index) {
    wire_packet made = part(cnt, index, 1);
    made.heap_length.reset();
    return made;
}

}  // namespace

TEST_CASE("when the window is full, the oldest unfinished heap is given up", "[stream]") {
    stream_bench bench{{.heaps_live_max = 2}};
    bench.feed({part(1, 0, 2), part(2, 0, 2), part(3, 0, 2)});
    CHECK(bench.cnts() == ids{1});
    CHECK(bench.stats().incomplete_heaps_evicted == 1);
}

TEST_CASE("a heap is given up when heaps_live_max newer ones have started, even if those finished", "[stream]") {
    stream_bench bench{{.heaps_live_max = 2}};
    bench.feed({part(1, 0, 2), part(2, 0, 1), part(3, 0, 1)});
    CHECK(bench.cnts() == ids{2, 1, 3});
}

TEST_CASE("an evicted heap is delivered before the new one starts", "[stream]") {
    stream_bench bench{{.heaps_live_max = 1}};
    bench.feed({part(1, 0, 2), part(2, 0, 1)});
    CHECK(bench.cnts() == ids{1, 2});
}

TEST_CASE("a rejected packet evicts nothing", "[stream]") {
    stream_bench bench{{.heaps_live_max = 1}};
    bench.feed({part(1, 0, 2), part(2, 1, 2)});
    CHECK(bench.heaps.empty());
    bench.feed({part(1, 1, 2)});
    CHECK(bench.cnts() == ids{1});
}

TEST_CASE("substreams have windows of their own", "[stream]") {
    stream_bench bench{{.heaps_live_max = 1, .substreams = 3}};
    bench.feed({part(3, 0, 2), part(4, 0, 2), part(5, 0, 2), part(3, 1, 2), part(4, 1, 2), part(7, 0, 2)});
    CHECK(bench.cnts() == ids{3, 4});
    bench.feed({part(8, 0, 2)});
    CHECK(bench.cnts() == ids{3, 4, 5});
}

TEST_CASE("in order, a heap starts only at its first byte", "[stream]") {
    stream_bench bench;
    bench.feed({part(1, 1, 3), part(1, 2, 3), part(2, 1, 2)});
    CHECK(bench.rejected(reject_reason::start_missing) == 3);
    CHECK(bench.stats().heaps_start_missing == 2);
    CHECK(bench.stats().account.live == 0);
}

TEST_CASE("in order, a packet must continue where the last one ended", "[stream]") {
    stream_bench bench;
    bench.feed({part(1, 0, 3), part(1, 2, 3), part(1, 0, 3), part(1, 1, 3), part(1, 2, 3)});
    CHECK(bench.rejected(reject_reason::out_of_sequence) == 1);
    CHECK(bench.rejected(reject_reason::duplicate) == 1);
    CHECK(bench.cnts() == ids{1});
}

TEST_CASE("out of order, packets come in any order", "[stream]") {
    stream_bench bench{{.out_of_order = true}};
    bench.feed({part(1, 2, 3), part(1, 0, 3), part(1, 1, 3)});
    REQUIRE(bench.cnts() == ids{1});
    const std::span<const std::byte> payload = bench.heaps[0]->payload();
    for (std::uint64_t i = 0; i < 3; ++i) {
        const bytes expected = pattern(part_bytes, 100 + i);
        CHECK(std::equal(expected.begin(), expected.end(),
                         payload.begin() + static_cast<std::ptrdiff_t>(i * part_bytes)));
    }
}

TEST_CASE("a packet that is a whole heap is delivered without a look-up", "[stream]") {
    stream_bench bench;
    wire_packet whole = part(1, 0, 1);
    bench.feed({part(1, 0, 2), whole, whole});
    CHECK(bench.cnts() == ids{1, 1});
    CHECK(bench.stats().single_packet_heaps == 2);
    bench.feed({part(1, 1, 2)});
    CHECK(bench.cnts() == ids{1, 1, 1});
}

TEST_CASE("a heap with an item address beyond its end never completes", "[stream]") {
    stream_bench bench;
    wire_packet whole = part(1, 0, 1);
    whole.items = {addressed(0x1000, 200)};
    bench.feed({whole});
    CHECK(bench.heaps.empty());
    bench.feed_stop();
    REQUIRE(bench.heaps.size() == 1);
    CHECK(bench.heaps[0]->status() == heap_status::incomplete);
}

TEST_CASE("a HEAP_LENGTH that differs from the one known is rejected", "[stream]") {
    stream_bench bench;
    bench.feed({part(1, 0, 3), part(1, 1, 4)});
    CHECK(bench.rejected(reject_reason::length_differs) == 1);
}

TEST_CASE("a HEAP_LENGTH that is less than what was seen is rejected", "[stream]") {
    stream_bench bench;
    bench.feed({unsized(1, 0), unsized(1, 1), part(1, 0, 1)});  // a whole heap is a new one
    CHECK(bench.rejected(reject_reason::length_too_small) == 0);
    bench.feed({unsized(2, 0), unsized(2, 1), {.heap_cnt = 2, .heap_length = 2 * part_bytes - 8, .payload_offset = 8}});
    CHECK(bench.rejected(reject_reason::length_too_small) == 1);
}

TEST_CASE("behind an item address beyond HEAP_LENGTH, packets that say this length are rejected", "[stream]") {
    stream_bench bench;
    std::vector<wire_packet> parts{part(1, 0, 3), part(1, 1, 3), part(1, 2, 3)};
    for (wire_packet& each : parts) each.items = {addressed(0x1000, 1000)};
    bench.feed(parts);
    CHECK(bench.rejected(reject_reason::length_too_small) == 2);
}

TEST_CASE("a heap keeps to one width of addresses", "[stream]") {
    stream_bench bench;
    wire_packet other = part(1, 1, 2);
    other.address_bits = 40;
    bench.feed({part(1, 0, 2), other});
    CHECK(bench.rejected(reject_reason::widths_differ) == 1);
}

TEST_CASE("unsized heaps become contiguous, and come out by eviction or flush", "[stream]") {
    stream_bench bench{{.heaps_live_max = 1}};
    bench.feed({unsized(1, 0), unsized(1, 1), unsized(2, 0)});
    CHECK(bench.cnts() == ids{1});
    bench.feed_stop();
    REQUIRE(bench.cnts() == ids{1, 2});
    CHECK(bench.heaps[0]->status() == heap_status::contiguous);
    CHECK_FALSE(bench.heaps[0]->length());
    CHECK(bench.heaps[0]->payload().size() == 2 * part_bytes);
}

TEST_CASE("unsized heaps can be refused", "[stream]") {
    stream_bench bench{{.allow_unsized = false}};
    bench.feed({unsized(1, 0)});
    CHECK(bench.rejected(reject_reason::unsized) == 1);
}

TEST_CASE("one id with two values is two items, one pointer twice is one", "[stream]") {
    stream_bench bench;
    wire_packet whole = part(1, 0, 1);
    whole.items = {immediate(0x1000, 5), immediate(0x1000, 4), immediate(0x1000, 5)};
    bench.feed({whole});
    REQUIRE(bench.heaps.size() == 1);
    REQUIRE(bench.heaps[0]->items().size() == 2);
    CHECK(bench.heaps[0]->items()[0].value == 4);
    CHECK(bench.heaps[0]->items()[1].value == 5);
}

TEST_CASE("a NULL pointer ends the item before it and is none itself", "[stream]") {
    stream_bench bench;
    wire_packet whole = part(1, 0, 1);
    whole.items = {addressed(0x1001, 8), addressed(0x1000, 0), addressed(item_id::null, 24)};
    bench.feed({whole});
    REQUIRE(bench.heaps.size() == 1);
    REQUIRE(bench.heaps[0]->items().size() == 2);
    CHECK(bench.heaps[0]->items()[0].id == 0x1000);
    CHECK(bench.heaps[0]->items()[1].length == 16);
}

TEST_CASE("an incomplete heap shows its immediates and what was received", "[stream]") {
    stream_bench bench{{.out_of_order = true}};
    wire_packet first = part(1, 0, 3);
    first.items = {addressed(0x1000, 0), immediate(0x1001, 7)};
    bench.feed({first, part(1, 2, 3)});
    bench.feed_stop();
    REQUIRE(bench.heaps.size() == 1);
    const heap& partial = *bench.heaps[0];
    CHECK(partial.status() == heap_status::incomplete);
    REQUIRE(partial.items().size() == 1);
    CHECK(partial.items()[0].value == 7);
    CHECK(std::vector(partial.ranges().begin(), partial.ranges().end()) ==
          std::vector<byte_range>{{0, 64}, {128, 192}});
    CHECK(partial.received_bytes() == 128);
    CHECK(partial.length() == 192);
}

TEST_CASE("a stop takes effect at the first packet that carries it, even if its heap is unfinished", "[stream]") {
    stream_bench bench;
    wire_packet stopping = part(2, 0, 2);
    stopping.items = {immediate(item_id::stream_control, 2)};
    bench.feed({part(1, 0, 2), stopping, part(1, 1, 2), part(2, 1, 2)});
    CHECK(bench.cnts() == ids{1, 2});
    CHECK(bench.heaps[1]->status() == heap_status::incomplete);
    CHECK(bench.stats().account.ignored[ignore_reason::after_stop] == 2);
    CHECK(bench.stats().packets == 2);
    CHECK(bench.stream().reason().what == stop_reason::kind::stop_item);
}

TEST_CASE("a rejected packet stops nothing", "[stream]") {
    stream_bench bench;
    wire_packet stopping = part(1, 1, 2);
    stopping.items = {immediate(item_id::stream_control, 2)};
    bench.feed({stopping});
    CHECK_FALSE(bench.stream().reason().stopped());
}

TEST_CASE("without stop_on_stop_item a stop heap is a heap", "[stream]") {
    stream_bench bench{{.stop_on_stop_item = false}};
    bench.feed_stop();
    REQUIRE(bench.heaps.size() == 1);
    CHECK(bench.heaps[0]->is_stop());
    CHECK_FALSE(bench.stream().reason().stopped());
}

TEST_CASE("a flush delivers the live heaps of each substream, oldest first", "[stream]") {
    stream_bench bench{{.substreams = 2}};
    bench.feed({part(3, 0, 2), part(2, 0, 2), part(1, 0, 2), part(4, 0, 2)});
    bench.feed_stop();
    CHECK(bench.cnts() == ids{2, 4, 3, 1});
    CHECK(bench.stats().incomplete_heaps_flushed == 4);
}

TEST_CASE("empty datagrams are ignored and counted", "[stream]") {
    stream_bench bench;
    bench.feed(std::vector<bytes>{{}, part(1, 0, 1).encode()});
    CHECK(bench.stats().account.ignored[ignore_reason::empty] == 1);
    CHECK(bench.cnts() == ids{1});
}

TEST_CASE("bytes behind the packet in a datagram are a reason of their own", "[stream]") {
    stream_bench bench;
    bench.feed(std::vector<bytes>{join({part(1, 0, 1).encode(), zeros(8)})});
    CHECK(bench.rejected(reject_reason::trailing_bytes) == 1);
}

TEST_CASE("the account balances whatever comes", "[stream]") {
    stream_bench bench{{.heaps_live_max = 2, .out_of_order = true}};
    bench.feed({part(1, 0, 2), part(2, 1, 4), part(2, 1, 4), part(3, 0, 9), part(4, 0, 1), unsized(5, 3)});
    const stream_stats stats = bench.stats();
    CHECK(stats.account.balanced());
    CHECK(stats.account.received == 6);
    CHECK(stats.account.live == 1);
}

TEST_CASE("a payload_placer takes the place of the copy and may keep statistics", "[stream]") {
    stream_bench bench{
        {.place_payload =
             [](const payload_placement& placement) {
                 std::reverse_copy(placement.source.payload.begin(), placement.source.payload.end(),
                                   placement.destination.begin());
                 ++placement.statistics[0];
                 placement.statistics[1] = std::max(placement.statistics[1], placement.source.payload_offset);
             },
         .statistics = {{.name = "reversed"}, {.name = "furthest", .how = custom_statistic::merge::maximum}}}};
    bench.feed({part(1, 0, 2)});
    bench.feed({part(1, 1, 2)});
    REQUIRE(bench.heaps.size() == 1);
    bytes expected = pattern(part_bytes, 100);
    std::reverse(expected.begin(), expected.end());
    CHECK(std::equal(expected.begin(), expected.end(), bench.heaps[0]->payload().begin()));
    const stream_stats stats = bench.stats();
    REQUIRE(stats.custom.size() == 2);
    CHECK(stats.custom[0].value == 2);
    CHECK(stats.custom[1].value == part_bytes);
}

TEST_CASE("payloads live in the memory resource of the configuration", "[stream]") {
    struct counting_resource final : std::pmr::memory_resource {
        std::size_t live = 0;
        std::size_t all = 0;
        void* do_allocate(std::size_t size, std::size_t alignment) override {
            ++live;
            ++all;
            return std::pmr::new_delete_resource()->allocate(size, alignment);
        }
        void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
            --live;
            std::pmr::new_delete_resource()->deallocate(block, size, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    };
    const auto memory = std::make_shared<counting_resource>();
    {
        stream_bench bench{{.memory = memory}};
        bench.feed({part(1, 0, 1), part(2, 0, 2)});
        CHECK(memory->live == 2);
        bench.heaps.clear();
        CHECK(memory->live == 1);
    }
    CHECK(memory->live == 0);
    CHECK(memory->all == 2);
}

TEST_CASE("an allocator that fails stops its stream, which says why", "[stream]") {
    struct failing_resource final : std::pmr::memory_resource {
        void* do_allocate(std::size_t, std::size_t) override { throw std::bad_alloc(); }
        void do_deallocate(void*, std::size_t, std::size_t) override {}
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    };
    stream_bench bench{{.memory = std::make_shared<failing_resource>()}};
    bench.feed({part(1, 0, 1), part(2, 0, 1)});
    CHECK(bench.stream().reason().failed());
    CHECK(bench.stats().account.balanced());
    CHECK(bench.stats().account.dropped_error == 1);
}

TEST_CASE("readers receive nothing until start() under explicit_start", "[stream]") {
    stream_bench bench{{.explicit_start = true}};
    bench.feed({part(1, 0, 1)});
    CHECK(bench.stats().account.received == 0);
    bench.stream().start();
    bench.feed({part(2, 0, 1)});
    CHECK(bench.cnts() == ids{1, 2});
}

TEST_CASE("a partial heap that gets no packet for heap_age_max is delivered", "[stream]") {
    boost::asio::io_context context;
    std::vector<heap_ref> heaps;
    stream receiver(context,
                    [&](heap_ref heap) {
                        heaps.push_back(std::move(heap));
                        context.stop();
                    },
                    {.heap_age_max = std::chrono::milliseconds(20)});
    receiver.add_reader(std::make_unique<datagram_feeder>(encode({part(1, 0, 2)})));
    context.run_for(std::chrono::seconds(10));
    REQUIRE(heaps.size() == 1);
    CHECK(heaps[0]->status() == heap_status::incomplete);
    CHECK(receiver.stats().incomplete_heaps_aged == 1);
    CHECK(receiver.stats().account.live == 0);
}

TEST_CASE("a stop is heard between heaps that are delivered for their age", "[stream]") {
    boost::asio::io_context context;
    std::vector<heap_ref> heaps;
    stream* self = nullptr;
    stream receiver(context,
                    [&](heap_ref heap) {
                        heaps.push_back(std::move(heap));
                        self->stop();
                        context.stop();
                    },
                    {.heap_age_max = std::chrono::milliseconds(20)});
    self = &receiver;
    receiver.add_reader(std::make_unique<datagram_feeder>(encode({part(1, 0, 2), part(2, 0, 2)})));
    context.run_for(std::chrono::seconds(10));
    CHECK(heaps.size() == 1);
    CHECK(receiver.stats().account.dropped_user_stop == 1);
}

TEST_CASE("a group that falls silent is an event and a counter, and never a stop", "[stream]") {
    struct grouped final : reader {
        std::string description() const override { return "grouped"; }
        bool lossless() const noexcept override { return false; }
        void start(handler_context, stream_base::add_packet_handler& batch) override {
            const std::uint32_t group = batch.add_group("239.1.1.1:7148");
            batch.ignore(group, ignore_reason::not_ours);
        }
        void stop() noexcept override {}
    };
    boost::asio::io_context context;
    std::vector<stream_event> events;
    stream receiver(context, [](const heap_ref&) {},
                    {.idle_after = std::chrono::milliseconds(10), .on_event = [&](const stream_event& event) {
                         events.push_back(event);
                         context.stop();
                     }});
    receiver.add_reader(std::make_unique<grouped>());
    context.run_for(std::chrono::seconds(10));
    REQUIRE(events.size() == 1);
    CHECK(events[0].what == stream_event::kind::group_idle);
    context.restart();
    context.run_one_for(std::chrono::seconds(1));  // the batch that counted it is published
    CHECK(receiver.stats().groups.at(0).idle_periods == 1);
    CHECK_FALSE(receiver.reason().stopped());
}

TEST_CASE("the account has all that came before a reader is told of the stop", "[stream]") {
    struct witness final : reader {
        explicit witness(const verbcast::stream*& stream, std::uint64_t& incomplete)
            : owner(stream), seen(incomplete) {}
        std::string description() const override { return "witness"; }
        bool lossless() const noexcept override { return true; }
        void start(handler_context, stream_base::add_packet_handler& batch) override {
            const bytes packet = part(1, 0, 2).encode();
            const datagram one{.data = packet.data(), .size = static_cast<std::uint32_t>(packet.size())};
            batch.add_packets({&one, 1});
            batch.end_reader(*this, {.what = stop_reason::kind::readers_ended});
        }
        void stop() noexcept override { seen = owner->stats().account.delivered_incomplete; }

        const verbcast::stream*& owner;
        std::uint64_t& seen;
    };
    boost::asio::io_context context;
    const stream* owner = nullptr;
    std::uint64_t seen = 0;
    stream receiver(context, [](const heap_ref&) {});
    owner = &receiver;
    receiver.add_reader(std::make_unique<witness>(owner, seen));
    context.run();
    CHECK(seen == 1);
}

TEST_CASE("a wrong option is named with its value and what is allowed", "[stream]") {
    CHECK_THROWS_WITH(stream_bench({.heaps_live_max = 0}), Catch::StartsWith("heaps_live_max = 0: must be 1 to "));
    try {
        stream_config{.substreams = 0}.validate();
        FAIL("not refused");
    } catch (const config_error& error) {
        CHECK(error.field() == "substreams");
    }
    CHECK_THROWS_WITH(stream_bench({.heaps_live_max = 4096, .substreams = 4096}),
                      "substreams = 4096: must be 1 to 256, 1048576 live heaps in all");
}
