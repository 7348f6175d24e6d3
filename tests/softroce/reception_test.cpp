// SPDX-License-Identifier: BSD-3-Clause
// The reader on a datagram queue pair of a real kernel: what arrives, and what does not.
#include <algorithm>
#include <numeric>

#include <catch2/catch.hpp>

#include "softroce/bad_datagrams.hpp"
#include "softroce/bench.hpp"
#include "softroce/roce_socket.hpp"
#include "softroce/verbs_sender.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

/// 1, 2, 3 and so on.
cnt_list first(std::size_t heaps) {
    cnt_list all(heaps);
    std::iota(all.begin(), all.end(), 1U);
    return all;
}

std::uint64_t ignored(const receiver& bench, ignore_reason reason) {
    return bench.receiving.stats().account.ignored[reason];
}

}  // namespace

TEST_CASE("heaps that a UD queue pair sends to a group are received", "[softroce]") {
    verbs_sender sender(first_group);
    receiver bench(on_rxe());
    for (std::uint64_t cnt = 1; cnt <= 300; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(bench.receives(300));
    CHECK(bench.cnts == first(300));
    CHECK(bench.last->clock() == clock_source::none);
    bench.stop_and_release();
    const stream_stats stats = bench.receiving.stats();
    CHECK(stats.account.received == 300);
    CHECK(stats.account.delivered_complete == 300);
    CHECK(stats.account.balanced());
    CHECK(bench.group("239.1.1.1:4791").accepted == 300);
}

TEST_CASE("datagrams of any size that the network carries are received whole", "[softroce]") {
    constexpr std::size_t header_bytes = 48;  // of heap_packet()
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    std::vector<std::size_t> sizes{1, 2, 3, 4, 5, 63, 64, 65, 1000, 1023, 1024, 1025, 4096 - header_bytes - 1};
    sizes.push_back(4096 - header_bytes);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        sender.send(heap_packet(i + 1, sizes[i]));
        REQUIRE(bench.receives(i + 1));
        const std::span<const std::byte> payload = bench.last->payload();
        CHECK(bytes(payload.begin(), payload.end()) == pattern(sizes[i], i + 1));
    }
}

TEST_CASE("a packet with something wrong in it never reaches the reader", "[softroce]") {
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    std::uint64_t cnt = 0;
    for (const bad_datagram& each : bad_datagrams(sender.route(), heap_packet(1000))) {
        INFO(each.what);
        sender.send_raw(each.datagram);
        sender.send(heap_packet(++cnt));
        REQUIRE(bench.receives(cnt));
        CHECK(bench.receiving.stats().account.received == cnt);
    }
    CHECK(cnt >= 10);
    CHECK(bench.cnts == first(cnt));
}

TEST_CASE("a datagram whose payload is no packet is counted by its reason", "[softroce]") {
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    sender.send(bytes{});
    sender.send(zeros(5));
    sender.send(zeros(100));
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    const packet_account account = bench.receiving.stats().account;
    CHECK(account.received == 4);
    CHECK(account.ignored[ignore_reason::empty] == 1);
    CHECK(account.rejected[reject_reason::too_short] == 1);
    CHECK(account.rejected[reject_reason::bad_magic] == 1);
}

TEST_CASE("a group over IPv6 is received", "[softroce]") {
    verbs_sender sender("ff15::7");
    roce_socket by_hand("ff15::7", "fd99::2");
    receiver bench(on_rxe({"[ff15::7]:4791"}));
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    by_hand.send(heap_packet(2));
    REQUIRE(bench.receives(2));
    CHECK(bench.group("[ff15::7]:4791").accepted == 2);
}

TEST_CASE("several groups of a reader are told apart, and others do not arrive", "[softroce]") {
    roce_socket one(first_group);
    roce_socket two(second_group);
    roce_socket other("239.1.1.3");
    receiver bench(on_rxe({"239.1.1.1:4791", "239.1.1.2:4791"}));
    for (std::uint64_t cnt = 1; cnt <= 20; ++cnt) {
        one.send(heap_packet(cnt));
        other.send(heap_packet(1000 + cnt));
        if (cnt % 2 == 0) two.send(heap_packet(100 + cnt));
    }
    REQUIRE(bench.receives(30));
    CHECK(bench.group("239.1.1.1:4791").accepted == 20);
    CHECK(bench.group("239.1.1.2:4791").accepted == 10);
    CHECK(bench.receiving.stats().account.received == 30);
}

TEST_CASE("of a source-specific group only the source is received", "[softroce]") {
    ip_of_peer("address add 10.99.0.3/24 dev veth0");
    {
        roce_socket wanted("232.1.1.1", "10.99.0.3");
        roce_socket other("232.1.1.1");
        receiver bench(on_rxe({"10.99.0.3@232.1.1.1:4791"}));
        other.send(heap_packet(1));
        wanted.send(heap_packet(2));
        REQUIRE(bench.receives(1));
        CHECK(bench.cnts == cnt_list{2});
    }
    ip_of_peer("address delete 10.99.0.3/24 dev veth0");
}

TEST_CASE("a datagram that was sent to the queue pair and to no group is not ours", "[softroce]") {
    roce_socket sender("10.99.0.1");
    receiver bench(on_rxe());
    // Its number is one of the next: the kernel counts them up, and starts again.
    for (std::uint32_t pair = 16; pair < 2048; ++pair)
        sender.send(roce_packet{.queue_pair = pair, .payload = heap_packet(1)});
    REQUIRE(bench.run_until([&] { return ignored(bench, ignore_reason::not_ours) == 1; }));
    CHECK(bench.receiving.stats().account.received == 1);
}

TEST_CASE("a datagram longer than packet_bytes_max is counted, and those behind it are received", "[softroce]") {
    roce_socket sender(first_group);
    ibv_reader_config config = on_rxe();
    config.packet_bytes_max = 1000;
    receiver bench(config);
    sender.send(heap_packet(1, 2000));
    sender.send(heap_packet(2, 4000));
    sender.send(heap_packet(3, 900));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{3});
    CHECK(ignored(bench, ignore_reason::too_long) == 2);
}

TEST_CASE("two readers of one group each get everything", "[softroce]") {
    roce_socket sender(first_group);
    receiver one(on_rxe());
    receiver two(on_rxe());
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(one.receives(100));
    REQUIRE(two.receives(100));
    one.stop_and_release();
    sender.send(heap_packet(101));
    REQUIRE(two.receives(101));
    CHECK(one.cnts == first(100));
    CHECK(two.cnts == first(101));
}

TEST_CASE("senders with another queue key are not heard, and those with the reader's are", "[softroce]") {
    roce_socket sender(first_group);
    ibv_reader_config config = on_rxe();
    config.queue_key = 0x01234567;
    receiver bench(config);
    sender.send(heap_packet(1));
    sender.send(roce_packet{.queue_key = 0x01234567, .payload = heap_packet(2)});
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == cnt_list{2});
}

TEST_CASE("without a completion channel the queue is polled", "[softroce]") {
    roce_socket sender(first_group);
    ibv_reader_config config = on_rxe();
    config.polling = true;
    receiver bench(config);
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(bench.receives(100));
    CHECK(bench.cnts == first(100));
}

TEST_CASE("each datagram wakes a reader that has seen the queue empty", "[softroce]") {
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) {
        sender.send(heap_packet(cnt));
        REQUIRE(bench.receives(cnt));
    }
}

TEST_CASE("a queue of a few slots passes any number of datagrams", "[softroce]") {
    roce_socket sender(first_group);
    ibv_reader_config config = on_rxe();
    config.buffer_bytes = 32_KiB;  // 7 slots
    receiver bench(config);
    for (std::uint64_t cnt = 1; cnt <= 200; cnt += 4) {
        for (std::uint64_t i = 0; i < 4; ++i) sender.send(heap_packet(cnt + i));
        REQUIRE(bench.receives(cnt + 3));
    }
    CHECK(bench.cnts == first(200));
}

TEST_CASE("a queue that overflows loses what it has no slot for, and goes on", "[softroce]") {
    roce_socket sender(first_group);
    ibv_reader_config config = on_rxe();
    config.buffer_bytes = 32_KiB;
    receiver bench(config);
    // Nobody drains it meanwhile.
    for (std::uint64_t cnt = 1; cnt <= 100; ++cnt) sender.send(heap_packet(cnt));
    REQUIRE(bench.receives(7));
    CHECK(bench.cnts == first(7));
    sender.send(heap_packet(101));
    REQUIRE(bench.receives(8));
    CHECK(bench.cnts.back() == 101);
    bench.stop_and_release();
    CHECK(bench.receiving.stats().account.received == 8);
    CHECK(bench.receiving.stats().account.balanced());
}

TEST_CASE("a group that is left is not received, and is again when it is joined", "[softroce]") {
    roce_socket sender(first_group);
    std::uint64_t cnt = 0;
    for (int round = 0; round < 5; ++round) {
        receiver bench(on_rxe());
        sender.send(heap_packet(++cnt));
        REQUIRE(bench.receives(1));
        CHECK(bench.cnts.back() == cnt);
        bench.stop_and_release();
        sender.send(heap_packet(++cnt));
    }
}

TEST_CASE("what arrives after stop() is counted as that", "[softroce]") {
    roce_socket sender(first_group);
    receiver bench(on_rxe());
    sender.send(heap_packet(1));
    REQUIRE(bench.receives(1));
    for (std::uint64_t cnt = 2; cnt <= 11; ++cnt) sender.send(heap_packet(cnt));
    bench.stop_and_release();
    const packet_account account = bench.receiving.stats().account;
    CHECK(account.received == 11);
    CHECK(account.ignored[ignore_reason::after_stop] == 10);
    CHECK(account.balanced());
}
