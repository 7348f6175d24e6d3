// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <poll.h>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "support/flood_reader.hpp"
#include "support/packet_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

/// `count` heaps of one item of `size` bytes, cnts from 1, in packets of 1472 bytes.
bytes heaps(std::size_t count, std::size_t size = 4096) {
    std::vector<bytes> all;
    for (std::size_t cnt = 1; cnt <= count; ++cnt)
        all.push_back(join(encode(wire_heap{.cnt = cnt, .values = {{0x1000, pattern(size, cnt)}}}.split())));
    return join(all);
}

bytes stop_heap(std::uint64_t cnt) { return stop_packet(cnt).encode(); }

std::vector<std::uint64_t> cnts(ring_stream& ring) {
    std::vector<std::uint64_t> all;
    for (const heap_ref& heap : ring) all.push_back(heap->cnt());
    return all;
}

/// A source whose thread is this one: nothing happens until run().
struct bench {
    explicit bench(const ring_stream_config& config = {}) : ring(context, config) {}

    void feed(const bytes& input) {
        ring.add_reader(memory_reader_config{.bytes = input});
        go_on();
    }
    /// All that can be done now. A reader that waits for room keeps run() from returning.
    void go_on() {
        context.restart();
        context.poll();
    }

    boost::asio::io_context context;
    ring_stream ring;
};

}  // namespace

TEST_CASE("heaps come out of the ring in the order in which they were finished", "[ring_stream]") {
    const bytes input = join({heaps(3), stop_heap(4)});
    bench bench;
    bench.feed(input);
    CHECK(cnts(bench.ring) == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(bench.ring.reason().what == stop_reason::kind::stop_item);
}

TEST_CASE("a heap holds the bytes of its packets", "[ring_stream]") {
    const bytes input = heaps(1, 5000);
    bench bench;
    bench.feed(input);
    const pop_result popped = bench.ring.try_pop();
    REQUIRE(popped);
    REQUIRE(popped.heap->items().size() == 1);
    const item& only = popped.heap->items()[0];
    CHECK(only.id == 0x1000);
    CHECK(bytes(only.bytes.begin(), only.bytes.end()) == pattern(5000, 1));
    CHECK(popped.heap->status() == heap_status::complete);
    CHECK(popped.heap->length() == 5000);
}

TEST_CASE("a complete stop heap is counted and not delivered", "[ring_stream]") {
    const bytes input = join({heaps(1), stop_heap(2)});
    bench bench;
    bench.feed(input);
    CHECK(cnts(bench.ring).size() == 1);
    const stream_stats stats = bench.ring.stats();
    CHECK(stats.account.stop_heap == 1);
    CHECK(stats.heaps == 1);
    CHECK(stats.account.balanced());
}

TEST_CASE("the bytes of packets are counted with their headers, whether they are accepted or not", "[ring_stream]") {
    const bytes input = join({heaps(2), from_text("no packet")});
    bench bench;
    bench.feed(input);
    CHECK(bench.ring.stats().datagram_bytes == input.size());
    CHECK(bench.ring.stats().bytes == 2 * 4096);
}

TEST_CASE("packets count when they can be decoded, and a whole heap in one packet counts when it does not end there",
          "[ring_stream]") {
    const wire_packet whole{.heap_cnt = 1, .heap_length = 8, .items = {addressed(0x1000, 0)}, .payload = pattern(8)};
    wire_packet beyond = whole;
    beyond.heap_cnt = 2;
    beyond.items.push_back(addressed(0x1001, 9));  // an item behind the heap's end: the heap waits for it
    const bytes input = join({whole.encode(), beyond.encode(), from_text("no packet")});
    bench bench;
    bench.feed(input);
    const stream_stats stats = bench.ring.stats();
    CHECK(stats.account.received == 3);
    CHECK(stats.packets == 2);
    CHECK(stats.single_packet_heaps == 2);
}

TEST_CASE("a stream whose readers have all ended stops", "[ring_stream]") {
    const bytes input = heaps(2);
    bench bench;
    bench.feed(input);
    CHECK(bench.ring.reason().what == stop_reason::kind::readers_ended);
    CHECK(cnts(bench.ring).size() == 2);
    CHECK_FALSE(bench.ring.add_reader(memory_reader_config{.bytes = input}));
}

TEST_CASE("with the policy wait a full ring pauses a lossless reader, and each pop lets it go on", "[ring_stream]") {
    const bytes input = heaps(10);
    bench bench{{.heaps = 2}};
    bench.feed(input);
    CHECK(bench.ring.source().size() == 2);
    CHECK_FALSE(bench.ring.reason().stopped());
    std::uint64_t popped = 0;
    while (bench.ring.try_pop()) {
        ++popped;
        bench.go_on();
    }
    CHECK(popped == 10);
    const stream_stats stats = bench.ring.stats();
    CHECK(stats.account.in_ring == 0);
    CHECK(stats.account.delivered_complete == stats.account.received);
}

TEST_CASE("an io_context has work for as long as a reader waits for room", "[ring_stream]") {
    const bytes input = heaps(100);
    boost::asio::io_context context;
    ring_stream ring(context, {.heaps = 4});
    ring.add_reader(memory_reader_config{.bytes = input});
    std::thread io([&context] { context.run(); });
    std::uint64_t popped = 0;
    while (ring.pop()) ++popped;
    CHECK(popped == 100);
    io.join();  // and none when it has been released
}

TEST_CASE("a ring that has closed keeps nothing of the readers that were parked", "[ring_stream]") {
    /// Parks at once, and would keep what it was given until it is resumed.
    struct parking_reader final : reader {
        parking_reader(boost::asio::io_context& runs_on, std::shared_ptr<int> kept)
            : context(runs_on), token(std::move(kept)) {}
        std::string description() const override { return "parking"; }
        bool lossless() const noexcept override { return true; }
        void start(handler_context own, stream_base::add_packet_handler& batch) override {
            const bytes input = heaps(3, 8);
            std::span<const std::byte> left = input;
            while (const std::size_t taken = batch.add_packet(left, 0)) left = left.subspan(taken);
            batch.pause(std::move(own), context, [kept = std::move(token)](handler_context, auto&) {});
        }
        void stop() noexcept override {}

        boost::asio::io_context& context;
        std::shared_ptr<int> token;
    };
    const auto token = std::make_shared<int>(0);
    boost::asio::io_context context;
    ring_stream ring(context, {.heaps = 2});
    const heap_source source = ring.source();
    ring.add_reader(std::make_unique<parking_reader>(context, token));
    context.poll();
    CHECK(token.use_count() == 2);
    ring.stop();
    CHECK(token.use_count() == 1);
}

TEST_CASE("with drop_newest a full ring drops the heap that comes", "[ring_stream]") {
    const bytes input = heaps(5);
    bench bench{{.heaps = 2, .when_full = full_policy::drop_newest}};
    bench.feed(input);
    CHECK(cnts(bench.ring) == std::vector<std::uint64_t>{1, 2});
    CHECK(bench.ring.stats().heaps_dropped_ring_full == 3);
}

TEST_CASE("with drop_oldest a full ring drops the heap that waited longest", "[ring_stream]") {
    const bytes input = heaps(5);
    bench bench{{.heaps = 2, .when_full = full_policy::drop_oldest}};
    bench.feed(input);
    CHECK(cnts(bench.ring) == std::vector<std::uint64_t>{4, 5});
    CHECK(bench.ring.stats().heaps_dropped_ring_full == 3);
}

TEST_CASE("stop() drops the heaps that are being built and leaves those in the ring", "[ring_stream]") {
    bytes input = heaps(2);
    const std::vector<bytes> partial = encode(wire_heap{.cnt = 9, .values = {{0x1000, pattern(9000)}}}.split());
    bench bench{{.stream = {.explicit_start = true}}};
    input = join({input, partial[0], partial[1]});
    boost::asio::io_context& context = bench.context;
    // A second reader that is never started keeps the stream from ending with the first.
    bench.ring.add_reader(memory_reader_config{.bytes = input});
    bench.ring.start();
    while (bench.ring.source().size() < 2 && context.run_one() > 0) continue;
    bench.ring.stop();
    CHECK(cnts(bench.ring).size() == 2);
    CHECK(bench.ring.stats().account.balanced());
}

TEST_CASE("a blocked pop returns when the stream is destroyed", "[ring_stream]") {
    boost::asio::io_context context;
    auto ring = std::make_unique<ring_stream>(context);
    std::atomic<int> status{-1};
    std::thread consumer(
        [source = ring->source(), &status]() mutable { status = static_cast<int>(source.pop().status); });
    ring.reset();
    consumer.join();
    CHECK(status == static_cast<int>(pop_status::stopped));
}

TEST_CASE("a pending async_pop completes with operation_aborted when the stream is destroyed", "[ring_stream]") {
    boost::asio::io_context context;
    boost::asio::io_context consumer;
    auto ring = std::make_unique<ring_stream>(context);
    boost::system::error_code seen;
    ring->async_pop(
        boost::asio::bind_executor(consumer, [&](boost::system::error_code error, heap_ref) { seen = error; }));
    ring.reset();
    consumer.run();
    CHECK(seen == boost::asio::error::operation_aborted);
}

TEST_CASE("a coroutine can await heaps until the orderly end", "[ring_stream]") {
    const bytes input = heaps(3);
    thread_pool pool;
    ring_stream ring(pool);
    ring.add_reader(memory_reader_config{.bytes = input});
    boost::asio::io_context consumer;
    std::vector<std::uint64_t> seen;
    boost::system::error_code end;
    boost::asio::co_spawn(
        consumer,
        [&]() -> boost::asio::awaitable<void> {
            try {
                for (;;) seen.push_back((co_await ring.async_pop(boost::asio::use_awaitable))->cnt());
            } catch (const boost::system::system_error& error) {
                end = error.code();
            }
        },
        boost::asio::detached);
    consumer.run();
    CHECK(seen == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(end == boost::asio::error::eof);
}

TEST_CASE("the descriptor is readable exactly while pop() would not wait", "[ring_stream]") {
    const bytes input = heaps(2);
    bench bench{{.stream = {.explicit_start = true}}};
    pollfd watched{.fd = bench.ring.descriptor(), .events = POLLIN, .revents = 0};
    CHECK(::poll(&watched, 1, 0) == 0);
    bench.ring.add_reader(memory_reader_config{.bytes = input});
    bench.ring.start();
    bench.context.run();
    CHECK(::poll(&watched, 1, 0) == 1);
    CHECK(bench.ring.try_pop());
    CHECK(::poll(&watched, 1, 0) == 1);
    CHECK(bench.ring.try_pop());
    CHECK(bench.ring.try_pop().status == pop_status::stopped);
    CHECK(::poll(&watched, 1, 0) == 1);
}

TEST_CASE("a consumer sees the error behind the heaps before it", "[ring_stream]") {
    const bytes input = heaps(3);
    std::size_t placed = 0;
    const std::size_t packets = wire_heap{.values = {{0x1000, pattern(4096)}}}.split().size();
    bench bench{{.stream = {.place_payload = [&](const payload_placement& placement) {
                     if (placed++ == 2 * packets) throw std::runtime_error("third heap refused");
                     std::copy(placement.source.payload.begin(), placement.source.payload.end(),
                               placement.destination.begin());
                 }}}};
    bench.feed(input);
    std::vector<std::uint64_t> seen;
    CHECK_THROWS_WITH(
        [&] {
            for (const heap_ref& heap : bench.ring) seen.push_back(heap->cnt());
        }(),
        "third heap refused");
    CHECK(seen == std::vector<std::uint64_t>{1, 2});
    CHECK(bench.ring.stats().account.balanced());
}

TEST_CASE("an asynchronous pop of a stream that failed completes with its error", "[ring_stream]") {
    const bytes input = heaps(1);
    const auto error_after = [&input](const std::exception_ptr& thrown) {
        bench bench{{.stream = {.place_payload = [&](const payload_placement&) { std::rethrow_exception(thrown); }}}};
        bench.feed(input);
        boost::system::error_code seen;
        bench.ring.async_pop(
            boost::asio::bind_executor(bench.context, [&](boost::system::error_code error, const heap_ref& heap) {
                CHECK_FALSE(heap);
                seen = error;
            }));
        bench.go_on();
        return seen;
    };
    const auto no_space = std::make_error_code(std::errc::no_space_on_device);
    CHECK(error_after(std::make_exception_ptr(std::system_error(no_space))) == boost::system::error_code(no_space));
    CHECK(error_after(std::make_exception_ptr(std::runtime_error("refused"))) == boost::system::errc::io_error);
}

TEST_CASE("pop_for gives up when its time is over, and not before", "[ring_stream]") {
    const std::chrono::milliseconds patience(20);
    bench bench;
    const auto start = std::chrono::steady_clock::now();
    CHECK(bench.ring.pop_for(patience).status == pop_status::empty);
    CHECK(std::chrono::steady_clock::now() - start >= patience);
    bench.feed(heaps(1));
    CHECK(bench.ring.pop_for(patience));
    CHECK(bench.ring.pop_for(patience).status == pop_status::stopped);
}

TEST_CASE("incomplete heaps are dropped and counted, or delivered to those who ask for them", "[ring_stream]") {
    const bytes input = wire_packet{.heap_length = 100, .payload = pattern(8)}.encode();
    bench dropping;
    dropping.feed(input);
    CHECK(dropping.ring.try_pop().status == pop_status::stopped);
    CHECK(dropping.ring.stats().account.dropped_incomplete == 1);

    bench delivering{{.incomplete = incomplete_policy::deliver}};
    delivering.feed(input);
    const pop_result popped = delivering.ring.try_pop();
    REQUIRE(popped);
    CHECK(popped.heap->status() == heap_status::incomplete);
    CHECK(delivering.ring.stats().account.delivered_incomplete == 1);
}

TEST_CASE("unless a policy is chosen, a full ring pauses lossless readers and drops what others bring",
          "[ring_stream]") {
    const bool lossless = GENERATE(true, false);
    bench bench{{.heaps = 4}};
    bench.ring.add_reader(std::make_unique<flood_reader>(bench.context, flood_packets(), lossless));
    for (int handlers = 0; handlers < 10; ++handlers) bench.context.poll_one();
    CHECK(bench.ring.source().capacity() == 4);
    CHECK(bench.ring.source().size() == 4);
    CHECK((bench.ring.stats().heaps_dropped_ring_full == 0) == lossless);
}
