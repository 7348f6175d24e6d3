// SPDX-License-Identifier: BSD-3-Clause
/// How long stop() takes under load.
///
///     stop_latency STOPS
///
/// Prints an object a line for each reader and each place where its heaps go: median, 99.9th percentile and maximum, in
/// microseconds, of the time until stop() returns, of the same less the time that the stopping and the receiving thread
/// waited for a processor meanwhile, and of the time from then until the reader is released. A stop that met no traffic
/// is not counted.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "storms/traffic.hpp"

using namespace verbcast;
using namespace verbcast::test;
using std::chrono::steady_clock;

namespace {

constexpr double nanoseconds_a_microsecond = 1000;

enum class place { sink, full_ring_drops, full_ring_waits };
struct named_place {
    place where;
    std::string_view name;
};
constexpr named_place places[] = {{place::sink, "sink"},
                                  {place::full_ring_drops, "ring that nobody reads, drop_newest"},
                                  {place::full_ring_waits, "ring that nobody reads, wait"}};

/// Nanoseconds that a thread of this process has been ready to run and did not.
std::uint64_t run_queue_delay(int thread) {
    std::ifstream file(fmt::format("/proc/self/task/{}/schedstat", thread));
    std::uint64_t ran = 0;
    std::uint64_t waited = 0;
    if (!(file >> ran >> waited))
        throw std::runtime_error("this kernel does not tell run-queue delays (CONFIG_SCHED_INFO)");
    return waited;
}

struct durations {
    std::vector<double> microseconds;

    void add(double nanoseconds) { microseconds.push_back(nanoseconds / nanoseconds_a_microsecond); }
    std::string json() {
        std::sort(microseconds.begin(), microseconds.end());
        const auto at = [this](double part) {
            return microseconds[std::min(microseconds.size() - 1,
                                         static_cast<std::size_t>(part * static_cast<double>(microseconds.size())))];
        };
        return fmt::format(R"({{"median":{:.1f},"p999":{:.1f},"max":{:.1f}}})", at(0.5), at(0.999),
                           microseconds.back());
    }
};

struct figures {
    durations wall;
    durations running;
    durations release;
    std::size_t without_traffic = 0;
};

class bench {
public:
    explicit bench(traffic& feeds) : feeds_(feeds) {
        std::promise<int> told;
        boost::asio::post(pool_.context(), [&told] { told.set_value(::gettid()); });
        receiving_thread_ = told.get_future().get();
    }

    void stop_one(place where, std::uint64_t packets_before, figures& seen) {
        packets_ = 0;
        const std::shared_ptr<stream_base> receiver = make(where);
        feeds_.begin(*receiver);
        while (packets_ < packets_before && !full() && !receiver->reason().stopped()) std::this_thread::yield();
        measure(*receiver, seen);
        feeds_.end();
        source_.reset();
    }

private:
    std::shared_ptr<stream_base> make(place where) {
        const stream_config config{.place_payload = [this](const payload_placement& placing) {
            std::copy(placing.source.payload.begin(), placing.source.payload.end(), placing.destination.begin());
            packets_.fetch_add(1, std::memory_order_relaxed);
        }};
        if (where == place::sink)
            return std::make_shared<stream>(
                pool_, [](const heap_ref&) {}, config);
        const auto policy = where == place::full_ring_waits ? full_policy::wait : full_policy::drop_newest;
        auto ring = std::make_shared<ring_stream>(pool_, ring_stream_config{.stream = config, .when_full = policy});
        waits_ = policy == full_policy::wait;
        source_ = ring->source();
        return ring;
    }
    /// With `wait` no more packets come then.
    bool full() const { return source_ && waits_ && source_->size() >= source_->capacity(); }

    void measure(stream_base& receiver, figures& seen) {
        const int own = ::gettid();
        const std::uint64_t before = run_queue_delay(own) + run_queue_delay(receiving_thread_);
        const bool meets_traffic = packets_ > 0 && !receiver.reason().stopped();
        const auto called = steady_clock::now();
        receiver.stop();
        const auto returned = steady_clock::now();
        const std::uint64_t delay = run_queue_delay(own) + run_queue_delay(receiving_thread_) - before;
        if (!receiver.wait_released(returned + std::chrono::seconds(60))) throw std::runtime_error("not released");
        const auto released = steady_clock::now();
        if (!meets_traffic) {
            ++seen.without_traffic;
            return;
        }
        const auto wall = static_cast<double>(std::chrono::nanoseconds(returned - called).count());
        seen.wall.add(wall);
        seen.running.add(std::max(0.0, wall - static_cast<double>(delay)));
        seen.release.add(static_cast<double>(std::chrono::nanoseconds(released - returned).count()));
    }

    traffic& feeds_;
    std::atomic<std::uint64_t> packets_{0};
    const thread_pool pool_{{.threads = 1}};
    int receiving_thread_ = 0;
    std::optional<heap_source> source_;
    bool waits_ = false;
};

void measure(traffic& feeds, const named_place& where, std::size_t stops) {
    bench bench(feeds);
    std::mt19937 random(1);
    figures seen;
    while (seen.wall.microseconds.size() < stops && seen.without_traffic < stops)
        bench.stop_one(where.where, 1 + random() % 1000, seen);
    if (seen.wall.microseconds.empty()) throw std::runtime_error("no stop met traffic");
    const auto in_time = std::count_if(seen.running.microseconds.begin(), seen.running.microseconds.end(),
                                       [](double each) { return each <= 1000; });
    fmt::print(R"({{"reader":"{}","place":"{}","stops":{},"within_1_ms":{:.5f},"wall":{},"running":{},"release":{}}})"
               "\n",
               feeds.name(), where.name, seen.wall.microseconds.size(),
               static_cast<double>(in_time) / static_cast<double>(seen.running.microseconds.size()), seen.wall.json(),
               seen.running.json(), seen.release.json());
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
    const std::size_t stops = count == 2 ? std::strtoull(words[1], nullptr, 10) : 0;
    if (stops == 0) {
        fmt::print(stderr, "usage: stop_latency STOPS\n");
        return 2;
    }
    try {
        for (const auto& each : all_traffic())
            for (const named_place& where : places) measure(*each, where, stops);
    } catch (const std::exception& error) {
        fmt::print(stderr, "stop_latency: {}\n", error.what());
        return 1;
    }
}
