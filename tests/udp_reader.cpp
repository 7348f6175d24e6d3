// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <verbcast/error.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "src/udp_reader.hpp"
#include "support/datagram_sender.hpp"
#include "support/network_namespace.hpp"
#include "support/stream_receiver.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto patience = 20s;

using receiver = stream_receiver<udp_reader_config>;
using cnt_list = std::vector<std::uint64_t>;

udp_reader_config from(const std::string& group_text, const std::string& interface = "") {
    return {.groups = {group::parse(group_text)}, .interface = interface};
}

/// The groups of tests that are joined.
std::vector<std::string> test_groups() {
    std::vector<std::string> found;
    for (const std::string& each : joined_groups())
        if (each.find(" 239.1.1.") != std::string::npos) found.push_back(each);
    return found;
}

/// This process's sockets that are bound to the port.
std::vector<int> sockets_of_port(std::uint16_t port) {
    std::vector<int> found;
    for (int descriptor = 0; descriptor < 256; ++descriptor) {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
            address.sin_family == AF_INET && ntohs(address.sin_port) == port)
            found.push_back(descriptor);
    }
    return found;
}

/// This thread does without CAP_NET_ADMIN for a while.
class without_net_admin {
public:
    without_net_admin() {
        REQUIRE(::syscall(SYS_capget, &header_, before_.data()) == 0);
        auto fewer = before_;
        fewer[0].effective &= ~(1U << CAP_NET_ADMIN);
        REQUIRE(::syscall(SYS_capset, &header_, fewer.data()) == 0);
    }
    ~without_net_admin() { ::syscall(SYS_capset, &header_, before_.data()); }
    without_net_admin(const without_net_admin&) = delete;
    without_net_admin& operator=(const without_net_admin&) = delete;

private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> before_{};
};

}  // namespace

TEST_CASE("datagrams to an address of this host become heaps", "[udp_reader]") {
    enter_network_namespace();
    const auto [text, address] = GENERATE(std::pair<std::string, std::string>{"127.0.0.1:7148", "127.0.0.1"},
                                          std::pair<std::string, std::string>{"[::1]:7148", "::1"});
    receiver bench(from(text));
    datagram_sender sender({.address = address});
    for (std::uint64_t cnt = 1; cnt <= 3; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(bench.receives(3));
    CHECK(bench.cnts == cnt_list{1, 2, 3});
    CHECK(bench.group(text).accepted == 3);
    CHECK(bench.receiving.stats().lost.kernel_buffers == 0U);
}

TEST_CASE("a reader that has read all there was waits for more", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("127.0.0.1:7148"));
    const datagram_sender sender({.address = "127.0.0.1"});
    for (std::uint64_t cnt = 1; cnt <= 3; ++cnt) {
        sender.send(heap_packet(cnt));
        REQUIRE(bench.receives(cnt));
    }
}

TEST_CASE("a multicast group is joined on the interface that is named", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("239.1.1.1:7148", "lo"));
    datagram_sender sender({.address = "239.1.1.1", .interface = "lo"});
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    CHECK(bench.group("239.1.1.1:7148").accepted == 1);
}

TEST_CASE("a multicast group is received over a cable, IPv4 and IPv6", "[udp_reader]") {
    enter_network_namespace();
    make_veth_pair();
    const std::string address = GENERATE("239.1.1.1", "ff05::7148", "ff02::7148");
    receiver bench({.groups = {{address, 7148, {}}}, .interface = "veth0"});
    datagram_sender sender({.address = address, .interface = "veth1"});
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
}

TEST_CASE("what comes by another interface than the one named is not received", "[udp_reader]") {
    enter_network_namespace();
    make_veth_pair();
    make_veth_pair("veth2", "veth3");
    const std::string address = GENERATE("239.1.1.1", "ff05::7148", "ff02::7148");
    receiver other({.groups = {{address, 7148, {}}}, .interface = "veth2"});
    receiver bench({.groups = {{address, 7148, {}}}, .interface = "veth0"});
    datagram_sender elsewhere({.address = address, .interface = "veth3"});
    elsewhere.send(heap_packet(1));
    REQUIRE(other.receives(1));
    datagram_sender sender({.address = address, .interface = "veth1"});
    sender.send(heap_packet(2));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
}

TEST_CASE("a link-local address is received on its interface", "[udp_reader]") {
    enter_network_namespace();
    make_veth_pair();
    ip("address add fe80::99/64 dev veth0 nodad");
    receiver bench(from("[fe80::99]:7148", "veth0"));
    datagram_sender sender({.address = "fe80::99", .interface = "veth1"});
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
}

TEST_CASE("an address of this host is reached from this host, whatever interface is named", "[udp_reader]") {
    enter_network_namespace();
    make_veth_pair();
    receiver bench(from("10.99.0.1:7148", "veth0"));
    datagram_sender sender({.address = "10.99.0.1"});
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
}

TEST_CASE("of a source-specific group only its source is received", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("127.0.0.2@232.1.1.1:7148", "lo"));
    datagram_sender other({.address = "232.1.1.1", .interface = "lo", .source = "127.0.0.1"});
    datagram_sender wanted({.address = "232.1.1.1", .interface = "lo", .source = "127.0.0.2"});
    other.send(heap_packet(1));
    wanted.send(heap_packet(2));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
    CHECK(bench.group("232.1.1.1:7148").received == 1);
}

TEST_CASE("of an IPv6 source-specific group only its source is received", "[udp_reader]") {
    enter_network_namespace();
    make_veth_pair();
    ip("address add fd99::22/64 dev veth1 nodad");
    receiver bench(from("[fd99::22]@[ff35::8000:1]:7148", "veth0"));
    datagram_sender other({.address = "ff35::8000:1", .interface = "veth1", .source = "fd99::2"});
    datagram_sender wanted({.address = "ff35::8000:1", .interface = "veth1", .source = "fd99::22"});
    other.send(heap_packet(1));
    wanted.send(heap_packet(2));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
}

TEST_CASE("two sources of one group are received once each, and counted as one group", "[udp_reader]") {
    enter_network_namespace();
    receiver bench({.groups = {group::parse("127.0.0.2@232.1.1.1:7148"), group::parse("127.0.0.3@232.1.1.1:7148")},
                    .interface = "lo"});
    datagram_sender one({.address = "232.1.1.1", .interface = "lo", .source = "127.0.0.2"});
    datagram_sender two({.address = "232.1.1.1", .interface = "lo", .source = "127.0.0.3"});
    one.send(heap_packet(1));
    two.send(heap_packet(2));
    REQUIRE(bench.receives(2));
    bench.stop_and_release();
    CHECK(bench.group("232.1.1.1:7148").received == 2);
}

TEST_CASE("two receivers of one group each get every datagram", "[udp_reader]") {
    enter_network_namespace();
    receiver one(from("239.1.1.1:7148", "lo"));
    receiver two(from("239.1.1.1:7148", "lo"));
    datagram_sender sender({.address = "239.1.1.1", .interface = "lo"});
    for (std::uint64_t cnt = 1; cnt <= 5; ++cnt) sender.send(heap_packet(cnt));
    CHECK(one.receives(5));
    CHECK(two.receives(5));
}

TEST_CASE("a group that another program joined is not received through a wildcard address", "[udp_reader]") {
    enter_network_namespace();
    receiver other({.groups = {{"239.1.1.1", 7149, {}}}, .interface = "lo"});
    receiver bench(from("0.0.0.0:7148"));
    datagram_sender({.address = "239.1.1.1", .interface = "lo"}).send(heap_packet(1));
    datagram_sender({.address = "127.0.0.1"}).send(heap_packet(2));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
}

TEST_CASE("21 groups of one reader are received", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config{.interface = "lo"};
    for (int i = 1; i <= 21; ++i) config.groups.push_back({"239.1.1." + std::to_string(i), 7148, {}});
    receiver bench(config);
    for (std::uint64_t i = 1; i <= 21; ++i)
        datagram_sender({.address = "239.1.1." + std::to_string(i), .interface = "lo"}).send(heap_packet(i));
    REQUIRE(bench.receives(21));
    for (int i = 1; i <= 21; ++i) CHECK(bench.group("239.1.1." + std::to_string(i) + ":7148").accepted == 1);
}

TEST_CASE("a thousand groups can be received", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config{.interface = "lo", .buffer_bytes = 64_KiB};
    for (int i = 0; i < 1000; ++i)
        config.groups.push_back({"239.2." + std::to_string(i / 250) + "." + std::to_string(i % 250), 7148, {}});
    receiver bench(config);
    datagram_sender({.address = "239.2.0.0", .interface = "lo"}).send(heap_packet(1));
    datagram_sender({.address = "239.2.3.249", .interface = "lo"}).send(heap_packet(2));
    REQUIRE(bench.receives(2));
    const auto begin = steady_clock::now();
    bench.receiving.stop();
    CHECK(steady_clock::now() - begin < 100ms);
}

TEST_CASE("datagrams that the kernel joined are taken apart again", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.gro = GENERATE(true, false);
    receiver bench(config);
    bytes joined;
    for (std::uint64_t cnt = 1; cnt <= 40; ++cnt) joined = join({joined, heap_packet(cnt, 1000)});
    const std::size_t each = heap_packet(1, 1000).size();
    joined = join({joined, heap_packet(41, 200)});  // the last of a run may be shorter
    datagram_sender sender({.address = "127.0.0.1"});
    cnt_list expected;
    for (int i = 0; i < 20; ++i) {
        sender.send_joined(joined, each);
        for (std::uint64_t cnt = 1; cnt <= 41; ++cnt) expected.push_back(cnt);
        REQUIRE(bench.receives(expected.size()));
    }
    CHECK(bench.cnts == expected);
    const std::span<const std::byte> payload = bench.last->payload();
    CHECK(bytes(payload.begin(), payload.end()) == pattern(200, 41));
}

TEST_CASE("a heap has the time at which the kernel took its packets", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.timestamps = GENERATE(true, false);
    receiver bench(config);
    const auto before = std::chrono::system_clock::now().time_since_epoch();
    datagram_sender({.address = "127.0.0.1"}).send(heap_packet(1));
    REQUIRE(bench.receives(1));
    if (config.timestamps) {
        CHECK(bench.last->clock() == clock_source::kernel);
        CHECK(bench.last->first_arrival() >= before);
        CHECK(bench.last->first_arrival() <= std::chrono::system_clock::now().time_since_epoch());
    } else {
        CHECK(bench.last->clock() == clock_source::none);
    }
}

TEST_CASE("a datagram longer than packet_bytes_max is cut and rejected", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.packet_bytes_max = 500;
    config.gro = GENERATE(true, false);
    receiver bench(config);
    datagram_sender sender({.address = "127.0.0.1"});
    sender.send(heap_packet(1, 1000));
    sender.send(heap_packet(2, 100));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
    CHECK(bench.receiving.stats().account.rejected[reject_reason::payload_cut] == 1);
}

TEST_CASE("the longest datagram is received whole", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.gro = GENERATE(true, false);
    receiver bench(config);
    const std::size_t header = heap_packet(1, 0).size();
    datagram_sender({.address = "127.0.0.1"}).send(heap_packet(1, 65507 - header));
    REQUIRE(bench.receives(1));
    CHECK(bench.last->received_bytes() == 65507 - header);
}

TEST_CASE("an empty datagram is counted and ignored", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("127.0.0.1:7148"));
    datagram_sender sender({.address = "127.0.0.1"});
    sender.send(bytes{});
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    CHECK(bench.receiving.stats().account.ignored[ignore_reason::empty] == 1);
}

TEST_CASE("what the kernel drops is counted for its group, beside the account", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config{.groups = {group::parse("127.0.0.1:7148"), group::parse("127.0.0.1:7149")},
                             .buffer_bytes = 64_KiB,
                             .gro = false};
    receiver bench(config);
    datagram_sender sender({.address = "127.0.0.1"});
    constexpr std::uint64_t sent = 1000;
    for (std::uint64_t cnt = 1; cnt <= sent; ++cnt) sender.send(heap_packet(cnt, 1000));
    const auto all_told = [&] {
        const group_stats group = bench.group("127.0.0.1:7148");
        return group.received + group.kernel_buffers_dropped.value() == sent;
    };
    CHECK(bench.run_until(all_told));
    CHECK(bench.group("127.0.0.1:7148").kernel_buffers_dropped > 0U);
    CHECK(bench.group("127.0.0.1:7149").kernel_buffers_dropped == 0U);
    CHECK(bench.receiving.stats().lost.kernel_buffers == bench.group("127.0.0.1:7148").kernel_buffers_dropped);
}

TEST_CASE("a stop in the middle leaves every datagram in the account", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.gro = GENERATE(true, false);
    config.batch_packets_max = 16;
    receiver bench(config);
    datagram_sender sender({.address = "127.0.0.1"});
    constexpr std::uint64_t sent = 2000;
    for (std::uint64_t cnt = 1; cnt <= sent; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(bench.receives(100));
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.account.balanced());
    CHECK(stats.account.received + stats.lost.kernel_buffers.value() == sent);
    CHECK(stats.account.ignored[ignore_reason::after_stop] > 0);
    CHECK(bench.group("127.0.0.1:7148").received == stats.account.received);
}

TEST_CASE("the kernel's drops while a stopped reader waits for its release are told", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config = from("127.0.0.1:7148");
    config.buffer_bytes = 64_KiB;
    config.gro = false;
    receiver bench(config);
    bench.receiving.stop();
    datagram_sender sender({.address = "127.0.0.1"});
    constexpr std::uint64_t sent = 1000;
    for (std::uint64_t cnt = 1; cnt <= sent; ++cnt) sender.send(heap_packet(cnt, 1000));
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.lost.kernel_buffers.value() > 0);
    CHECK(stats.account.ignored[ignore_reason::after_stop] + stats.lost.kernel_buffers.value() == sent);
}

TEST_CASE("groups are left when the reader is released", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("239.1.1.1:7148", "lo"));
    CHECK(test_groups() == std::vector<std::string>{"lo 239.1.1.1"});
    bench.stop_and_release();
    CHECK(test_groups().empty());
}

TEST_CASE("groups are left too when the stream is stopped before its reader has started", "[udp_reader]") {
    enter_network_namespace();
    receiver bench;
    bench.receiving.add_reader(from("239.1.1.1:7148", "lo"));
    CHECK(test_groups() == std::vector<std::string>{"lo 239.1.1.1"});
    bench.stop_and_release();
    CHECK(test_groups().empty());
}

TEST_CASE("a stop item ends the stream", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("127.0.0.1:7148"));
    datagram_sender sender({.address = "127.0.0.1"});
    sender.send(heap_packet(1));
    sender.send(stop_packet(2).encode());
    REQUIRE(bench.run_until([&] { return bench.receiving.reason().stopped(); }));
    CHECK(bench.cnts == cnt_list{1});
    CHECK(bench.receiving.reason().what == stop_reason::kind::stop_item);
}

TEST_CASE("with the policy wait, a reader leaves in the kernel what the ring has no room for", "[udp_reader]") {
    enter_network_namespace();
    boost::asio::io_context context;
    const auto work = boost::asio::make_work_guard(context);
    ring_stream ring(context, {.heaps = 2, .when_full = full_policy::wait});
    ring.add_reader(udp_reader_config{.groups = {group::parse("127.0.0.1:7148"), group::parse("127.0.0.1:7149")}});
    const auto run = [&] {
        context.restart();
        while (context.poll() != 0) context.restart();
    };
    run();
    datagram_sender one({.address = "127.0.0.1"});
    datagram_sender two({.address = "127.0.0.1", .port = 7149});
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) {
        one.send(heap_packet(cnt));
        two.send(heap_packet(1000 + cnt));
    }
    std::map<bool, cnt_list> received;
    const auto deadline = steady_clock::now() + patience;
    while (received[false].size() + received[true].size() < 200 && steady_clock::now() < deadline) {
        run();
        CHECK(ring.stats().account.in_ring <= 3);
        if (const pop_result popped = ring.try_pop()) received[popped.heap->cnt() > 1000].push_back(popped.heap->cnt());
    }
    REQUIRE(received[false].size() == 100);
    REQUIRE(received[true].size() == 100);
    CHECK(std::is_sorted(received[false].begin(), received[false].end()));
    CHECK(std::is_sorted(received[true].begin(), received[true].end()));
    CHECK(ring.stats().account.dropped_ring_full == 0);
}

TEST_CASE("what a parked reader had taken from the kernel is in the account after a stop", "[udp_reader]") {
    enter_network_namespace();
    boost::asio::io_context context;
    ring_stream ring(context, {.heaps = 2, .when_full = full_policy::wait});
    ring.add_reader(from("127.0.0.1:7148"));
    datagram_sender sender({.address = "127.0.0.1"});
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) sender.send(heap_packet(cnt));
    const auto deadline = steady_clock::now() + patience;
    while (ring.stats().account.in_ring == 0 && steady_clock::now() < deadline) {
        context.restart();
        context.run_one_until(deadline);
    }
    ring.stop();
    context.restart();
    context.run();
    REQUIRE(ring.wait_released(steady_clock::now()));
    CHECK(ring.stats().account.received == 100);
    CHECK(ring.stats().account.balanced());
}

TEST_CASE("a group that floods leaves the others their turn", "[udp_reader]") {
    enter_network_namespace();
    udp_reader_config config{.groups = {group::parse("127.0.0.1:7148"), group::parse("127.0.0.1:7149")},
                             .batch_packets_max = 16};
    receiver bench(config);
    datagram_sender flood({.address = "127.0.0.1"});
    for (std::uint64_t cnt = 1; cnt <= 400; ++cnt) flood.send(heap_packet(cnt));
    datagram_sender({.address = "127.0.0.1", .port = 7149}).send(heap_packet(5000));
    REQUIRE(bench.run_until([&] { return bench.group("127.0.0.1:7149").accepted == 1; }));
    CHECK(bench.group("127.0.0.1:7148").accepted < 400);
}

TEST_CASE("a stream can be destroyed under full traffic, at any instant", "[udp_reader]") {
    enter_network_namespace();
    std::atomic<bool> done{false};
    // The namespace is that of the thread it was entered on, and of those it starts.
    std::thread traffic([&] {
        datagram_sender one({.address = "239.1.1.1", .interface = "lo"});
        datagram_sender two({.address = "239.1.1.2", .interface = "lo"});
        for (std::uint64_t cnt = 1; !done; ++cnt) {
            one.send(heap_packet(cnt));
            two.send(heap_packet(cnt));
        }
    });
    const thread_pool pool({.threads = 2});
    for (std::size_t cycle = 0; cycle < 60; ++cycle) {
        std::atomic<std::size_t> heaps{0};
        stream receiving(pool, [&](const heap_ref&) { ++heaps; });
        receiving.add_reader(
            udp_reader_config{.groups = {{"239.1.1.1", 7148, {}}, {"239.1.1.2", 7148, {}}}, .interface = "lo"});
        const auto deadline = steady_clock::now() + patience;
        while (heaps < cycle && steady_clock::now() < deadline) std::this_thread::yield();
        if (cycle % 2 == 0) receiving.stop();
    }
    done = true;
    traffic.join();
    CHECK(test_groups().empty());
}

TEST_CASE("an error of a socket ends the reader with call, object and reason", "[udp_reader]") {
    enter_network_namespace();
    receiver bench(from("127.0.0.1:7148"));
    // A connected socket is told that nobody listens at the other end.
    const std::vector<int> sockets = sockets_of_port(7148);
    REQUIRE(sockets.size() == 1);
    sockaddr_in nobody{};
    nobody.sin_family = AF_INET;
    nobody.sin_port = htons(9);
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(sockets[0], reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0);
    REQUIRE(::send(sockets[0], "x", 1, 0) == 1);
    REQUIRE(bench.run_until([&] { return bench.receiving.reason().stopped(); }));
    CHECK(bench.receiving.reason().failed());
    CHECK(bench.receiving.reason().message == "recvmmsg(127.0.0.1:7148): Connection refused");
    CHECK_THROWS_AS(bench.receiving.reason().rethrow_if_failed(), std::system_error);
}

TEST_CASE("a receive buffer smaller than asked for is a warning that says what to raise", "[udp_reader]") {
    enter_network_namespace();
    {
        const without_net_admin as_a_user;
        receiver bench(from("127.0.0.1:7148"));
        REQUIRE(bench.events.size() == 1);
        CHECK(bench.events[0].find("udp 127.0.0.1:7148: the kernel grants a receive buffer of ") == 0);
        CHECK(bench.events[0].find(" where 32 MiB were asked for") != std::string::npos);
        CHECK(bench.events[0].find("run sysctl -w net.core.rmem_max=33554432, or give the process CAP_NET_ADMIN") !=
              std::string::npos);
    }
    udp_reader_config small = from("127.0.0.1:7148");
    small.buffer_bytes = 16_KiB;
    CHECK(receiver(small).events.empty());
}

TEST_CASE("an address that another program receives at is refused with what to do", "[udp_reader]") {
    enter_network_namespace();
    receiver first(from("127.0.0.1:7148"));
    CHECK(receiver::refusal(from("127.0.0.1:7148")) ==
          "bind(127.0.0.1:7148): Address already in use: another program receives "
          "there: ss -ulnp shows which");
}

TEST_CASE("an address that is not this machine's is refused with what to do", "[udp_reader]") {
    enter_network_namespace();
    CHECK(receiver::refusal(from("192.0.2.1:7148")) ==
          "bind(192.0.2.1:7148): Cannot assign requested address: not an address of "
          "this machine: ip address shows those");
}

TEST_CASE("an interface that does not exist is refused with those that do", "[udp_reader]") {
    enter_network_namespace();
    CHECK(receiver::refusal(from("239.1.1.1:7148", "eth7")) ==
          "if_nametoindex(eth7): No such device: interfaces here are lo");
}

TEST_CASE("a group without an interface or a route is refused with what to do", "[udp_reader]") {
    enter_network_namespace();
    CHECK(receiver::refusal(from("239.1.1.1:7148")) ==
          "setsockopt(MCAST_JOIN_GROUP) for 239.1.1.1: No such device: no route leads "
          "to the group: name an interface, of which there are lo");
}

TEST_CASE("a reader that was refused leaves its stream as it was", "[udp_reader]") {
    enter_network_namespace();
    receiver bench;
    CHECK_THROWS_AS(bench.receiving.add_reader(from("192.0.2.1:7148")), std::system_error);
    bench.receiving.add_reader(from("127.0.0.1:7148"));
    datagram_sender({.address = "127.0.0.1"}).send(heap_packet(1));
    CHECK(bench.receives(1));
}

TEST_CASE("a wrong option is told with field, value and what is allowed", "[udp_reader]") {
    CHECK(receiver::refusal({}) == "config_error: groups = none: must be one group or more");
    CHECK(receiver::refusal({.groups = {{"239.1.1.1", 7148, {}}, {"nowhere", 7148, {}}}}) ==
          "config_error: groups[1] = nowhere:7148: the address must be a numeric IPv4 or IPv6 address");
    CHECK(receiver::refusal({.groups = {{"239.1.1.1", 7148, {}}, {"239.1.1.1", 7148, "10.0.0.1"}}}) ==
          "config_error: groups[1] = 239.1.1.1:7148: must not be received twice: see groups[0]");
    CHECK(receiver::refusal(from("239.1.1.1:7148", "an_interface_name")) ==
          "config_error: interface = an_interface_name: must be a name of at most 15 characters");
    CHECK(receiver::refusal(from("[ff02::1]:7148")) ==
          "config_error: interface = \"\": must be named for the link-local address [ff02::1]:7148");
    udp_reader_config wrong = from("127.0.0.1:7148");
    wrong.buffer_bytes = 2_GiB;
    CHECK(receiver::refusal(wrong) == "config_error: buffer_bytes = 2147483648: must be 1 to 1073741824");
    wrong = from("127.0.0.1:7148");
    wrong.packet_bytes_max = 65536;
    CHECK(receiver::refusal(wrong) == "config_error: packet_bytes_max = 65536: must be 1 to 65535");
    wrong = from("127.0.0.1:7148");
    wrong.batch_packets_max = 0;
    CHECK(receiver::refusal(wrong) == "config_error: batch_packets_max = 0: must be 1 to 1048576");
}

TEST_CASE("a reader says what it reads", "[udp_reader]") {
    boost::asio::io_context context;
    CHECK(udp_reader(context, from("239.2.1.150:7148", "lo")).description() == "udp 239.2.1.150:7148 on lo");
    CHECK(udp_reader(context, from("[ff05::1]:7148")).description() == "udp [ff05::1]:7148");
    udp_reader_config several = from("239.2.1.150:7148");
    several.groups.resize(3, several.groups[0]);
    CHECK(udp_reader(context, several).description() == "udp 239.2.1.150:7148 and 2 more");
    CHECK_FALSE(udp_reader(context, several).lossless());
}
