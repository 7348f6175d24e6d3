// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <verbcast/error.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "support/network_namespace.hpp"
#include "support/nic_wire.hpp"
#include "support/stream_receiver.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;

namespace {

using receiver = stream_receiver<ibv_reader_config>;
using cnt_list = std::vector<std::uint64_t>;

constexpr const char* first_group = "239.255.88.1:7148";

/// Small enough for a laptop, and on the interface that the software NIC's wire has addresses of.
ibv_reader_config on_wire(const std::vector<std::string>& groups = {first_group}) {
    ibv_reader_config config{.interface = "lo", .buffer_bytes = 1_MiB, .packet_bytes_max = 2000};
    for (const std::string& each : groups) config.groups.push_back(group::parse(each));
    return config;
}

bytes frame_of(std::uint64_t cnt, wire_frame frame = {}) {
    frame.payload = heap_packet(cnt);
    return frame.encode();
}

std::uint64_t ignored(const receiver& bench, ignore_reason reason) {
    return bench.receiving.stats().account.ignored[reason];
}

}  // namespace

TEST_CASE("heaps come out of the frames that arrive at the NIC's queue", "[ibv_reader]") {
    nic_wire wire;
    receiver bench(on_wire());
    for (std::uint64_t cnt = 1; cnt <= 200; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(bench.receives(200));
    CHECK(bench.cnts.front() == 1);
    CHECK(bench.cnts.back() == 200);
    CHECK(bench.last->clock() == clock_source::hardware);
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.account.received == 200);
    CHECK(stats.account.delivered_complete == 200);
    CHECK(stats.lost.nic == 0U);
    CHECK(bench.group(first_group).accepted == 200);
}

TEST_CASE("a frame that waited in the queue before the stream's first handler is received", "[ibv_reader]") {
    nic_wire wire;
    boost::asio::io_context context;
    std::size_t heaps = 0;
    stream receiving(context, [&](const heap_ref&) { ++heaps; });
    receiving.add_reader(on_wire());
    wire.send(frame_of(1));
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (heaps == 0 && std::chrono::steady_clock::now() < deadline) context.run_one_for(100ms);
    CHECK(heaps == 1);
}

TEST_CASE("a reader that leaves frames in the queue at the end of its turn comes back for them", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.poll_rounds_max = 1;  // and a round takes 64
    receiver bench;
    bench.receiving.add_reader(config);
    for (std::uint64_t cnt = 1; cnt <= 200; ++cnt) wire.send(frame_of(cnt));
    CHECK(bench.receives(200));
}

TEST_CASE("a frame that comes while the reader is about to wait wakes it", "[ibv_reader]") {
    nic_wire wire;
    thread_pool pool({.threads = 1});
    std::atomic<std::uint64_t> heaps{0};
    stream receiving(pool, [&](const heap_ref&) { ++heaps; });
    receiving.add_reader(on_wire());
    for (std::uint64_t cnt = 1; cnt <= 3000; ++cnt) {
        wire.send(frame_of(cnt));
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (heaps < cnt && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        REQUIRE(heaps == cnt);
        // The next one comes a little later in the reader's turn than this one did.
        const auto next = std::chrono::steady_clock::now() + cnt % 60 * 50ns;
        while (std::chrono::steady_clock::now() < next) continue;
    }
}

TEST_CASE("IPv6 groups and tagged frames are received", "[ibv_reader]") {
    nic_wire wire;
    receiver bench(on_wire({first_group, "[ff15::88]:7149"}));
    wire.send(frame_of(1, {.vlan = 100}));
    wire.send(frame_of(2, {.destination = "ff15::88", .port = 7149, .source = "fd99::1"}));
    REQUIRE(bench.receives(2));
    CHECK(bench.group("[ff15::88]:7149").accepted == 1);
}

TEST_CASE("with a VLAN only frames of its tag are received", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.vlan = 7;
    receiver bench(config);
    wire.send({frame_of(1), frame_of(2, {.vlan = 8}), frame_of(3, {.vlan = 7})});
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{3});
}

TEST_CASE("a source-specific group delivers only its source", "[ibv_reader]") {
    nic_wire wire;
    receiver bench(on_wire({"10.0.0.2@232.1.1.1:7148", "10.0.0.3@232.1.1.1:7148"}));
    const auto from = [](std::uint64_t cnt, const std::string& source) {
        return frame_of(cnt, {.destination = "232.1.1.1", .source = source});
    };
    wire.send({from(1, "10.0.0.1"), from(2, "10.0.0.2"), from(3, "10.0.0.3")});
    REQUIRE(bench.receives(2));
    CHECK(bench.cnts == cnt_list{2, 3});
}

TEST_CASE("two readers of one group each get every frame", "[ibv_reader]") {
    nic_wire wire;
    receiver one(on_wire());
    receiver two(on_wire());
    for (std::uint64_t cnt = 1; cnt <= 50; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(one.receives(50));
    REQUIRE(two.receives(50));
}

TEST_CASE("a thousand groups are received by one reader", "[ibv_reader]") {
    std::vector<std::string> groups;
    for (int i = 0; i < 1000; ++i)
        groups.push_back("239.255." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":7148");
    nic_wire wire;
    receiver bench(on_wire(groups));
    for (std::size_t i = 0; i < groups.size(); i += 37) {
        wire_frame frame;
        frame.destination = groups[i].substr(0, groups[i].find(':'));
        wire.send(frame_of(i, frame));
    }
    REQUIRE(bench.receives((groups.size() + 36) / 37));
    bench.stop_and_release();
    CHECK(bench.group("239.255.0.38:7148").accepted == 1);
    CHECK(bench.receiving.stats().lost.nic == 0U);
}

TEST_CASE("a frame that is damaged, in pieces or too long is counted by its reason", "[ibv_reader]") {
    nic_wire wire;
    receiver bench(on_wire());
    bytes damaged = frame_of(1);
    damaged.back() ^= std::byte{1};
    bytes long_one = wire_frame{.payload = zeros(3000)}.encode();
    wire.send({damaged, long_one, frame_of(2)});
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
    CHECK(ignored(bench, ignore_reason::bad_checksum) == 1);
    CHECK(ignored(bench, ignore_reason::too_long) == 1);
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.account.received == 3);
    CHECK(stats.lost.nic == 0U);
}

TEST_CASE("a damaged frame is taken when checksums are not looked at", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.checksums = ibv_reader_config::checksum_policy::none;
    receiver bench(config);
    bytes damaged = frame_of(1);
    damaged.back() ^= std::byte{1};
    wire.send(damaged);
    REQUIRE(bench.receives(1));
}

TEST_CASE("a polling reader receives without a completion channel", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.polling = true;
    config.timestamps = false;
    receiver bench(config);
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(bench.receives(100));
    CHECK(bench.last->clock() == clock_source::none);
    bench.stop_and_release();
    CHECK(bench.receiving.stats().account.received == 100);
}

TEST_CASE("slots are posted again, and so a small buffer receives for ever", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.buffer_bytes = 4 * 2112;
    config.poll_rounds_max = 1;
    receiver bench(config);
    for (std::uint64_t cnt = 1; cnt <= 300; ++cnt) {
        wire.send(frame_of(cnt));
        REQUIRE(bench.receives(cnt));
    }
}

TEST_CASE("frames for which no slot was posted are the NIC's loss", "[ibv_reader]") {
    nic_wire wire;
    ibv_reader_config config = on_wire();
    config.buffer_bytes = 4 * 2112;
    receiver bench(config);
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(bench.receives(4));
    // What was lost was lost before this one.
    REQUIRE(bench.run_until([&] {
        wire.send(frame_of(1000));
        return bench.cnts.back() == 1000;
    }));
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.lost.nic.value() > 0);
    CHECK(stats.groups.at(0).nic_frames_dropped == stats.lost.nic);
    REQUIRE(stats.ports.size() == 1);
    CHECK(stats.ports.front().name == "softnic0 port 1");
}

TEST_CASE("frames that come after the stop are counted as ignored", "[ibv_reader]") {
    nic_wire wire;
    receiver bench(on_wire());
    wire.send(frame_of(1));
    REQUIRE(bench.receives(1));
    // The NIC serves queues in the order of their rules: what this one has got, the first has in its queue.
    receiver witness(on_wire());
    for (std::uint64_t cnt = 2; cnt <= 11; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(witness.receives(10));
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.account.received + stats.lost.nic.value() == 11);
    CHECK(stats.account.ignored[ignore_reason::after_stop] == stats.account.received - 1);
}

TEST_CASE("a reader that is stopped before its first handler leaves its groups", "[ibv_reader]") {
    const auto joined = [] {  // of this test alone: others join on the same interface
        const std::vector<std::string> all = joined_groups();
        return std::find(all.begin(), all.end(), "lo 239.255.88.90") != all.end();
    };
    nic_wire wire;
    boost::asio::io_context context;
    stream receiving(context, [](const heap_ref&) {});
    receiving.add_reader(on_wire({"239.255.88.90:7148"}));
    CHECK(joined());
    receiving.stop();
    context.run();
    CHECK(receiving.wait_released(std::chrono::steady_clock::now()));
    CHECK_FALSE(joined());
}

TEST_CASE("a reader that waits for room keeps its frames in the NIC's buffer", "[ibv_reader]") {
    nic_wire wire;
    boost::asio::io_context context;
    ring_stream receiving(context, {.heaps = 2, .when_full = full_policy::wait});
    receiving.add_reader(on_wire());
    while (receiving.stats().batches == 0) context.run_one();
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) wire.send(frame_of(cnt));
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) {
        pop_result popped = receiving.try_pop();
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!popped && std::chrono::steady_clock::now() < deadline) {
            context.restart();
            context.run_one_for(100ms);
            popped = receiving.try_pop();
        }
        REQUIRE(popped);
        CHECK(popped.heap->cnt() == cnt);
    }
    CHECK(receiving.stats().account.dropped_ring_full == 0);
}

TEST_CASE("a stream on a NIC that is destroyed under load ends cleanly", "[ibv_reader]") {
    nic_wire wire;
    for (int round = 0; round < 20; ++round) {
        thread_pool pool({.threads = 2});
        std::atomic<std::uint64_t> heaps{0};
        stream receiving(pool, [&](const heap_ref&) { ++heaps; });
        receiving.add_reader(on_wire());
        for (std::uint64_t cnt = 1; heaps < 20; ++cnt) wire.send(frame_of(cnt));
    }
}

TEST_CASE("a queue pair that breaks down is brought back once", "[ibv_reader]") {
    set_faults("frame queue_pair_fatal frame=10");
    nic_wire wire;
    receiver bench(on_wire());
    for (std::uint64_t cnt = 1; cnt < 10; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(bench.receives(9));
    wire.send(frame_of(10));
    REQUIRE(bench.run_until([&] { return bench.receiving.stats().queues_revived == 1; }));
    wire.send(frame_of(11));
    REQUIRE(bench.run_until([&] { return bench.cnts.back() == 11; }));
    REQUIRE(bench.events.size() == 1);
    CHECK(bench.events.front().find("was brought back") != std::string::npos);
    CHECK_FALSE(bench.receiving.reason().stopped());
}

TEST_CASE("a queue pair that breaks down twice stops the stream with the reason", "[ibv_reader]") {
    set_faults("frame queue_pair_fatal frame=1 frame=2");
    nic_wire wire;
    receiver bench(on_wire());
    wire.send(frame_of(1));
    REQUIRE(bench.run_until([&] { return bench.receiving.stats().queues_revived == 1; }));
    wire.send(frame_of(2));
    REQUIRE(bench.run_until([&] { return bench.receiving.reason().stopped(); }));
    CHECK(bench.receiving.reason().message.find("broke down a second time") != std::string::npos);
}

TEST_CASE("a device that fails stops the stream with the reason", "[ibv_reader]") {
    set_faults("frame device_fatal frame=3");
    nic_wire wire;
    receiver bench(on_wire());
    for (std::uint64_t cnt = 1; cnt <= 3; ++cnt) wire.send(frame_of(cnt));
    REQUIRE(bench.run_until([&] { return bench.receiving.reason().stopped(); }));
    CHECK(bench.receiving.reason().failed());
    CHECK(bench.receiving.reason().message.find("softnic0 port 1") != std::string::npos);
    REQUIRE(bench.run_until([&] { return bench.receiving.wait_released(std::chrono::steady_clock::now()); }));
}

TEST_CASE("a port that goes down is reported, and reception goes on", "[ibv_reader]") {
    set_faults("frame port_error frame=1");
    nic_wire wire;
    receiver bench(on_wire());
    std::uint64_t cnt = 0;
    REQUIRE(bench.run_until([&] {
        wire.send(frame_of(++cnt));
        return bench.events.size() == 2 && !bench.cnts.empty();
    }));
    CHECK(bench.events[0].find("until the port is active again") != std::string::npos);
    CHECK_FALSE(bench.receiving.reason().stopped());
}

TEST_CASE("what keeps a reader from opening is said with what to do", "[ibv_reader]") {
    use_own_wire();
    ibv_reader_config config = on_wire();
    config.interface = "";
    CHECK(receiver::refusal(config).find("config_error: interface = \"\": must name") == 0);
    config.interface = "nowhere0";
    CHECK(receiver::refusal(config).find("if_nametoindex(nowhere0): No such device: interfaces here are ") == 0);
    config.interface = "192.0.2.77";
    CHECK(receiver::refusal(config).find("looking for an interface with the address 192.0.2.77") == 0);
    config = on_wire({"0.0.0.0:7148"});
    CHECK(receiver::refusal(config).find("config_error: groups[0] = 0.0.0.0:7148: must be one address") == 0);
    config = on_wire();
    config.completion_vector = 99;
    CHECK(receiver::refusal(config).find("config_error: completion_vector = 99: softnic0 has 8 of them") == 0);
    config = on_wire({first_group, first_group});
    CHECK(receiver::refusal(config).find("must not be received twice") != std::string::npos);
}

TEST_CASE("what a datagram queue pair cannot receive is refused before anything is opened", "[ibv_reader]") {
    const auto said = [](ibv_reader_config config) {
        config.transport = ibv_reader_config::queue_transport::ud;
        return receiver::refusal(config);
    };
    CHECK(
        said(on_wire({"127.0.0.1:7148"})).find("config_error: groups[0] = 127.0.0.1:7148: must be a multicast group") ==
        0);
    CHECK(
        said(on_wire({"239.1.1.1:1", "239.1.1.1:2"})).find("config_error: groups[1] = 239.1.1.1:2: is there already") ==
        0);
    CHECK(said(on_wire({"10.0.0.1@232.1.1.1:1", "10.0.0.2@232.1.1.1:1"})).find("config_error: groups") ==
          std::string::npos);
    ibv_reader_config config = on_wire();
    config.vlan = 7;
    CHECK(said(config).find("config_error: vlan = 7: is for transport raw") == 0);
}

TEST_CASE("a device without datagram queue pairs says so", "[ibv_reader]") {
    use_own_wire();
    ibv_reader_config config = on_wire();
    config.transport = ibv_reader_config::queue_transport::ud;
    CHECK(receiver::refusal(config) ==
          "ibv_create_qp(UD) on softnic0: Operation not supported: the device has no queue "
          "pairs of this type");
}

TEST_CASE("a program that is started while a reader receives keeps nothing of its device open", "[ibv_reader]") {
    const auto kept = [] {
        std::set<int> all;
        for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
            const int descriptor = std::stoi(each.path().filename());
            const int flags = ::fcntl(descriptor, F_GETFD);
            if (flags >= 0 && (flags & FD_CLOEXEC) == 0) all.insert(descriptor);
        }
        return all;
    };
    nic_wire wire;
    const std::set<int> before = kept();
    receiver bench(on_wire());
    CHECK(kept() == before);
}

TEST_CASE("a reader opens by an address of its interface, and by its device's name", "[ibv_reader]") {
    use_own_wire();
    for (const char* where : {"127.0.0.1", "softnic0", "lo"}) {
        ibv_reader_config config = on_wire();
        config.interface = where;
        CHECK(receiver::refusal(config) == "opened");
    }
}

TEST_CASE("a device that cannot be opened is passed over when another one will do", "[ibv_reader]") {
    const std::string wire = "=wire:test-" + std::to_string(::getpid());
    ::setenv("VERBCAST_SOFTNIC_DEVICES", ("softnic0" + wire + ";softnic1" + wire).c_str(), 1);
    set_faults("ibv_open_device call=1 call=2 errno=13");
    stream_receiver<ibv_reader_config> bench;
    ibv_reader_config config = on_wire();
    config.interface = "softnic0";
    CHECK(receiver::refusal(config).find("ibv_open_device on softnic0: Permission denied") == 0);
    config.interface = "lo";
    bench.receiving.add_reader(config);
    bench.start();
    CHECK(bench.receiving.stats().ports.at(0).name == "softnic1 port 1");
}

TEST_CASE("a verb that fails while a reader is opened is named, with its device", "[ibv_reader]") {
    set_faults("ibv_create_flow first=1 errno=1");
    use_own_wire();
    CHECK(receiver::refusal(on_wire()).find(
              "ibv_create_flow(239.255.88.1:7148) on softnic0: Operation not permitted: needs "
              "CAP_NET_RAW") == 0);
}
