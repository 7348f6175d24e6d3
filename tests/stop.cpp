// SPDX-License-Identifier: BSD-3-Clause
/// The stop protocol on real threads, under load. Run with ThreadSanitizer these find what a deterministic scheduler,
/// which is sequentially consistent, cannot.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "src/shared_state.hpp"
#include "support/flood_reader.hpp"
#include "support/network_namespace.hpp"
#include "support/resources.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

/// A user's sink, with members that die with it.
class tallying_sink final : public heap_sink {
public:
    explicit tallying_sink(std::atomic<std::uint64_t>& heaps) : heaps_(heaps) {}
    ~tallying_sink() override { latest_.clear(); }

    void accept(heap_ref heap) override {
        latest_.push_back(std::move(heap));
        if (latest_.size() > 8) latest_.erase(latest_.begin());
        heaps_.fetch_add(1, std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t>& heaps_;
    std::vector<heap_ref> latest_;
};

void wait_for(const std::atomic<std::uint64_t>& count, std::uint64_t least) {
    while (count.load(std::memory_order_relaxed) < least) std::this_thread::yield();
}

/// Receives nothing, and says where its stream's stop_requested is.
class telling_reader final : public reader {
public:
    explicit telling_reader(std::atomic<const shared_state*>& told) : told_(told) {}
    std::string description() const override { return "telling"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context context, stream_base::add_packet_handler&) override { told_ = context.state().get(); }
    void stop() noexcept override {}

private:
    std::atomic<const shared_state*>& told_;
};

template <class Stream>
void flood(Stream& stream, std::size_t readers = 2, bool lossless = false) {
    for (std::size_t i = 0; i < readers; ++i)
        stream.add_reader(std::make_unique<flood_reader>(stream.context(), flood_packets(), lossless));
}

}  // namespace

TEST_CASE("a stream can be destroyed under load without stop(), with a sink that has members", "[stop]") {
    for (int cycle = 0; cycle < 50; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        thread_pool pool{{.threads = 2}};
        std::optional<stream> receiver(std::in_place, pool, std::make_unique<tallying_sink>(heaps));
        flood(*receiver);
        wait_for(heaps, std::uint64_t{1} + static_cast<std::uint64_t>(cycle));
        receiver.reset();
        const std::uint64_t after = heaps.load();
        std::this_thread::yield();
        CHECK(heaps.load() == after);
    }
}

TEST_CASE("once stop() has returned from outside callbacks, no callback runs", "[stop]") {
    for (int cycle = 0; cycle < 50; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        std::atomic<bool> stopped{false};
        std::atomic<std::uint64_t> late{0};
        thread_pool pool{{.threads = 2}};
        stream receiver(pool, [&](const heap_ref&) {
            heaps.fetch_add(1, std::memory_order_relaxed);
            if (stopped.load()) late.fetch_add(1);
        });
        flood(receiver);
        wait_for(heaps, 10);
        receiver.stop();
        stopped = true;
        CHECK(receiver.reason().what == stop_reason::kind::user_stop);
        CHECK(receiver.wait_released(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
        CHECK(receiver.stats().account.balanced());
        CHECK(late == 0);
    }
}

TEST_CASE("at most 64 packets are processed after stop() was called", "[stop]") {
    std::vector<bytes> long_batch;
    for (int i = 0; i < 20; ++i)
        for (const bytes& each : flood_packets()) long_batch.push_back(each);
    std::uint64_t most = 0;
    for (int cycle = 0; cycle < 200; ++cycle) {
        std::atomic<const shared_state*> state{nullptr};
        std::atomic<std::uint64_t> before{0};
        std::atomic<std::uint64_t> after{0};
        const auto count = [&](const payload_placement& placing) {
            std::copy(placing.source.payload.begin(), placing.source.payload.end(), placing.destination.begin());
            const shared_state* const told = state;
            (told && told->stop_is_requested() ? after : before).fetch_add(1, std::memory_order_relaxed);
        };
        thread_pool pool{{.threads = 2}};
        stream receiver(pool, [](const heap_ref&) {}, {.place_payload = count});
        receiver.add_reader(std::make_unique<telling_reader>(state));
        for (int i = 0; i < 2; ++i) receiver.add_reader(std::make_unique<flood_reader>(pool.context(), long_batch));
        wait_for(before, 100 + static_cast<std::uint64_t>(cycle) * 7);
        while (!state) std::this_thread::yield();
        receiver.stop();
        CHECK(after <= 64);
        most = std::max(most, after.load());
    }
    CHECK(most > 0);  // or no stop came in the middle of a batch
}

TEST_CASE("10,000 streams made and destroyed leave descriptors, threads and memory as they were", "[stop]") {
    enter_network_namespace();
    constexpr int streams = 10'000;
    constexpr int warm_up = 1000;
    const thread_pool pool{{.threads = 2}};
    const std::vector<bytes> packets = flood_packets();
    const bytes input = join(packets);
    resources before;
    for (int i = 0; i < streams; ++i) {
        if (i == warm_up) before = resources::now();
        std::atomic<std::uint64_t> heaps{0};
        std::optional<thread_pool> own;
        if (i % 10 == 0) own.emplace();
        const thread_pool& runs_on = own ? *own : pool;
        if (i % 4 == 0) {
            stream receiver(runs_on, std::make_unique<tallying_sink>(heaps));
            receiver.add_reader(memory_reader_config{.bytes = input});
        } else if (i % 4 == 1) {
            ring_stream ring(runs_on, {.heaps = 2});
            ring.add_reader(memory_reader_config{.bytes = input});
            if (i % 8 == 1) ring.pop();
        } else if (i % 4 == 2) {
            stream receiver(runs_on, std::make_unique<tallying_sink>(heaps));
            receiver.add_reader(std::make_unique<flood_reader>(receiver.context(), packets));
            wait_for(heaps, 1);
        } else {
            ring_stream ring(runs_on);
            ring.add_reader(udp_reader_config{.groups = {{"239.1.1.1", 7148, {}}}, .interface = "lo"});
            if (i % 8 == 3) ring.descriptor();
        }
    }
    const resources after = resources::now();
    INFO("before: " << before.text() << "; after: " << after.text());
    CHECK(after.grown_since(before) == "");
}

TEST_CASE("several threads may stop one stream at the same time", "[stop]") {
    for (int cycle = 0; cycle < 20; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        thread_pool pool{{.threads = 2}};
        stream receiver(pool, std::make_unique<tallying_sink>(heaps));
        flood(receiver);
        wait_for(heaps, 5);
        std::vector<std::thread> stoppers;
        for (int i = 0; i < 3; ++i) stoppers.emplace_back([&] { receiver.stop(); });
        for (std::thread& each : stoppers) each.join();
        CHECK(receiver.reason().stopped());
    }
}

TEST_CASE("stop() from within a callback of the stream stops it with the end of the batch", "[stop]") {
    thread_pool pool{{.threads = 2}};
    std::atomic<stream*> self{nullptr};
    stream receiver(pool, [&](const heap_ref&) {
        if (stream* const own = self.load()) own->stop();
    });
    self = &receiver;
    flood(receiver);
    while (!receiver.reason().stopped()) std::this_thread::yield();
    CHECK(receiver.reason().what == stop_reason::kind::user_stop);
    CHECK(receiver.stats().account.balanced());
}

TEST_CASE("two streams whose callbacks stop each other both stop", "[stop]") {
    for (int cycle = 0; cycle < 50; ++cycle) {
        thread_pool pool{{.threads = 2}};
        std::atomic<stream*> first{nullptr};
        std::atomic<stream*> second{nullptr};
        stream one(pool, [&](const heap_ref&) {
            if (stream* const other = second.load()) other->stop();
        });
        stream two(pool, [&](const heap_ref&) {
            if (stream* const other = first.load()) other->stop();
        });
        flood(one, 1);
        flood(two, 1);
        first = &one;
        second = &two;
        while (!one.reason().stopped() && !two.reason().stopped()) std::this_thread::yield();
        // The one that is stopped first may never stop the other.
        one.stop();
        two.stop();
        CHECK(one.stats().account.balanced());
        CHECK(two.stats().account.balanced());
    }
}

TEST_CASE("a sink that throws stops its stream, and the stream only", "[stop]") {
    thread_pool pool{{.threads = 2}};
    std::atomic<std::uint64_t> healthy{0};
    stream bystander(pool, std::make_unique<tallying_sink>(healthy));
    flood(bystander, 1);
    stream receiver(pool, [n = 0](const heap_ref&) mutable {
        if (++n == 5) throw std::runtime_error("disk full");
    });
    flood(receiver, 1);
    while (!receiver.reason().stopped()) std::this_thread::yield();
    CHECK(receiver.reason().failed());
    CHECK(receiver.reason().message == "disk full");
    CHECK_THROWS_WITH(receiver.reason().rethrow_if_failed(), "disk full");
    CHECK(receiver.stats().account.balanced());
    CHECK(receiver.stats().account.dropped_error > 0);
    wait_for(healthy, healthy.load() + 100);
}

TEST_CASE("every ring policy survives a destructor at a random moment", "[stop]") {
    std::mt19937 random(1);
    for (const full_policy policy : {full_policy::wait, full_policy::drop_newest, full_policy::drop_oldest}) {
        for (int cycle = 0; cycle < 30; ++cycle) {
            thread_pool pool{{.threads = 2}};
            auto ring = std::make_unique<ring_stream>(pool, ring_stream_config{.heaps = 2, .when_full = policy});
            std::atomic<std::uint64_t> popped{0};
            std::thread consumer([source = ring->source(), &popped]() mutable {
                while (source.pop()) popped.fetch_add(1, std::memory_order_relaxed);
            });
            flood(*ring, 2, true);
            wait_for(popped, random() % 50);
            ring.reset();
            consumer.join();
        }
    }
}

TEST_CASE("a reader that waits for room in a ring nobody reads does not hold up a stop", "[stop]") {
    for (int cycle = 0; cycle < 50; ++cycle) {
        thread_pool pool{{.threads = 2}};
        ring_stream ring(pool, {.heaps = 2, .when_full = full_policy::wait});
        flood(ring, 2, true);
        while (ring.source().size() < 2) std::this_thread::yield();
        ring.stop();
        CHECK(ring.stats().account.balanced());
    }
}

TEST_CASE("a stream may be destroyed by a handler of the context it runs on", "[stop]") {
    for (int cycle = 0; cycle < 20; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        std::atomic<bool> gone{false};
        thread_pool pool{{.threads = 2}};
        auto receiver = std::make_shared<stream>(pool, std::make_unique<tallying_sink>(heaps));
        flood(*receiver);
        wait_for(heaps, 5);
        boost::asio::post(pool.context(), [receiver = std::move(receiver), &gone]() mutable {
            receiver.reset();
            gone = true;
        });
        while (!gone) std::this_thread::yield();
    }
}

TEST_CASE("a thread pool whose last handle goes on its own thread does not join itself", "[thread_pool]") {
    std::atomic<bool> gone{false};
    {
        thread_pool pool{{.threads = 2}};
        boost::asio::post(pool.context(), [last = std::make_unique<thread_pool>(pool), &gone]() mutable {
            while (!gone) std::this_thread::yield();  // until the other handle is gone
            last.reset();
            gone = false;
        });
        // The pool must outlive this scope by the handler's handle alone.
    }
    gone = true;
    while (gone) std::this_thread::yield();
}
