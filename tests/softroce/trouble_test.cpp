// SPDX-License-Identifier: BSD-3-Clause
// The end under load, and devices that go away.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include <catch2/catch.hpp>

#include <verbcast/ring_stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "softroce/bench.hpp"
#include "softroce/roce_socket.hpp"
#include "support/network_namespace.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr int cycles = 25;

/// Another host that sends heaps as long as this lives.
class flood {
public:
    flood() : thread_([this] { send(); }) {}
    ~flood() {
        over_ = true;
        thread_.join();
    }
    flood(const flood&) = delete;
    flood& operator=(const flood&) = delete;

private:
    void send() {
        roce_socket sender(first_group);
        for (std::uint64_t cnt = 1; !over_; ++cnt) {
            try {
                sender.send(heap_packet(cnt));
            } catch (const std::system_error&) {
                return;  // the cable is gone
            }
        }
    }

    std::atomic<bool> over_{false};
    std::thread thread_;
};

/// The machine's network, put right after a test that takes it apart.
struct repaired_network {
    repaired_network() = default;
    ~repaired_network() {
        if (std::system("softroce-network") != 0) std::abort();
    }
    repaired_network(const repaired_network&) = delete;
    repaired_network& operator=(const repaired_network&) = delete;
};

/// A command that may block until others have let go of what it takes away.
std::future<int> in_background(const std::string& command) {
    return std::async(std::launch::async, [command] { return std::system(command.c_str()); });
}

bool ends_well(std::future<int>& command) {
    return command.wait_for(20s) == std::future_status::ready && command.get() == 0;
}

bool heard(const receiver& bench, const std::string& text) {
    return std::any_of(bench.events.begin(), bench.events.end(),
                       [&](const std::string& each) { return each.find(text) != std::string::npos; });
}

void wait_for(const std::atomic<std::uint64_t>& count, std::uint64_t least) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (count < least && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    REQUIRE(count >= least);
}

void wait_until_released(stream& receiving) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!receiving.wait_released(deadline)) {  // at once while it has not stopped
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        std::this_thread::yield();
    }
}

}  // namespace

TEST_CASE("stop() under load, again and again, leaves an account that is whole", "[softroce]") {
    const flood load;
    thread_pool pool{{.threads = 2}};
    for (int cycle = 0; cycle < cycles; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        stream receiving(pool, [&](const heap_ref&) { ++heaps; });
        receiving.add_reader(on_rxe());
        wait_for(heaps, 1 + static_cast<std::uint64_t>(cycle));
        receiving.stop();
        const std::uint64_t after = heaps;
        REQUIRE(receiving.wait_released(std::chrono::steady_clock::now() + 20s));
        const packet_account account = receiving.stats().account;
        CHECK(account.balanced());
        CHECK(account.delivered_complete == after);
        CHECK(heaps == after);
    }
}

TEST_CASE("a stream is destroyed under load without stop(), again and again", "[softroce]") {
    const flood load;
    thread_pool pool{{.threads = 2}};
    for (int cycle = 0; cycle < cycles; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        std::optional<stream> receiving(std::in_place, pool, [&](const heap_ref&) { ++heaps; });
        receiving->add_reader(on_rxe());
        if (cycle % 3 == 0) receiving->add_reader(on_rxe({"239.1.1.2:4791"}));
        wait_for(heaps, static_cast<std::uint64_t>(cycle % 5));
        receiving.reset();
        const std::uint64_t after = heaps;
        std::this_thread::yield();
        CHECK(heaps == after);
    }
}

TEST_CASE("an exception from a sink under load ends the stream with it, again and again", "[softroce]") {
    const flood load;
    thread_pool pool{{.threads = 2}};
    for (int cycle = 0; cycle < cycles; ++cycle) {
        std::atomic<std::uint64_t> heaps{0};
        stream receiving(pool, [&](const heap_ref&) {
            if (++heaps == 10) throw std::runtime_error("the disk is full");
        });
        receiving.add_reader(on_rxe());
        wait_until_released(receiving);
        CHECK(receiving.reason().message == "the disk is full");
        CHECK(receiving.stats().account.balanced());
    }
}

TEST_CASE("a port that goes down and up again is reported, and reception goes on", "[softroce]") {
    const repaired_network after;
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    ip("link set veth1 down");
    REQUIRE(bench.run_until([&] { return heard(bench, "until the port is active again"); }));
    ip("link set veth1 up");
    REQUIRE(bench.run_until([&] { return heard(bench, "port active"); }));
    // The other end's carrier comes back a little later.
    std::uint64_t cnt = 1;
    REQUIRE(bench.run_until([&] {
        sender.send(heap_packet(++cnt));
        bench.context.poll();
        return bench.cnts.size() > 1;
    }));
    CHECK_FALSE(bench.receiving.reason().stopped());
}

TEST_CASE("an interface that is deleted under load ends the stream with the reason, and lets it go", "[softroce]") {
    const repaired_network after;
    const flood load;
    thread_pool pool;
    std::atomic<std::uint64_t> heaps{0};
    stream receiving(pool, [&](const heap_ref&) { ++heaps; });
    receiving.add_reader(on_rxe());
    wait_for(heaps, 100);
    std::future<int> deleting = in_background("ip link delete veth1");
    // Only the device's closing lets it end.
    CHECK(ends_well(deleting));
    wait_until_released(receiving);
    CHECK(receiving.reason().what == stop_reason::kind::error);
    CHECK_THAT(receiving.reason().message, Contains("rxe1 port 1: the device is gone"));
    CHECK(receiving.stats().account.balanced());
}

TEST_CASE("a device that is deleted waits for stop(), and then goes", "[softroce]") {
    const repaired_network after;
    const flood load;
    thread_pool pool;
    std::atomic<std::uint64_t> heaps{0};
    stream receiving(pool, [&](const heap_ref&) { ++heaps; });
    receiving.add_reader(on_rxe());
    wait_for(heaps, 100);
    std::future<int> deleting = in_background("rdma link delete rxe1");
    // The kernel says nothing, and goes on delivering.
    wait_for(heaps, heaps + 100);
    CHECK(deleting.wait_for(0s) == std::future_status::timeout);
    receiving.stop();
    CHECK(ends_well(deleting));
}
