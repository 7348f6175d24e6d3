// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

using namespace nic_test;

namespace {

/// A sender, and a receiver with a rule for the group that the sender sends to.
struct pair_of_queues {
    explicit pair_of_queues(queue_options options = {}) : sender(nic), receiver(nic, options), buffers(nic, 1 << 16) {
        sender.bring_to(IBV_QPS_RTS);
        receiver.bring_to(IBV_QPS_RTR);
        flow = group_rule().create(receiver);
        REQUIRE(flow);
    }
    void send(const bytes& frame) {
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
        REQUIRE(sender.post_send(0, {buffers.entry(0, frame.size())}) == 0);
        REQUIRE(sender.completions(1).size() == 1);
    }
    /// The port's counter, once it has come so far, which takes a while, or would have.
    std::uint64_t out_of_buffer(std::uint64_t at_least) const {
        const std::string name = nic.context->device->ibdev_path + std::string("/ports/1/hw_counters/out_of_buffer");
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        for (;;) {
            std::uint64_t value = 0;
            std::ifstream(name) >> value;
            if (value >= at_least || std::chrono::steady_clock::now() > until) return value;
            std::this_thread::yield();
        }
    }
    ibv_wc receive() const {
        const auto done = receiver.completions(1);
        REQUIRE(done.size() == 1);
        return done[0];
    }
    static constexpr std::size_t at = 16384;  ///< where tests receive

    device nic;
    queue sender;
    queue receiver;
    memory buffers;
    handle<ibv_flow> flow;
};

}  // namespace

TEST_CASE("a frame is written into the posted buffer as it was on the wire, and its length is reported", "[flow]") {
    pair_of_queues nic;
    REQUIRE(nic.receiver.post_receive(42, {nic.buffers.entry(nic.at, 2048)}) == 0);
    const bytes frame = udp_frame({.payload = 1024});
    nic.send(frame);
    const ibv_wc done = nic.receive();
    CHECK(done.wr_id == 42);
    CHECK(done.status == IBV_WC_SUCCESS);
    CHECK(done.opcode == IBV_WC_RECV);
    CHECK(done.byte_len == frame.size());
    CHECK(done.qp_num == nic.receiver.pair->qp_num);
    CHECK(std::equal(frame.begin(), frame.end(), nic.buffers.data.begin() + nic.at));
}

TEST_CASE("a scatter list is filled entry by entry", "[flow]") {
    pair_of_queues nic;
    REQUIRE(nic.receiver.post_receive(1, {nic.buffers.entry(nic.at, 14), nic.buffers.entry(nic.at + 1000, 28),
                                          nic.buffers.entry(nic.at + 2000, 500)}) == 0);
    const bytes frame = udp_frame();
    nic.send(frame);
    CHECK(nic.receive().byte_len == frame.size());
    const auto at = nic.buffers.data.begin() + nic.at;
    CHECK(std::equal(frame.begin(), frame.begin() + 14, at));
    CHECK(std::equal(frame.begin() + 14, frame.begin() + 42, at + 1000));
    CHECK(std::equal(frame.begin() + 42, frame.end(), at + 2000));
}

TEST_CASE("a frame longer than its scatter list is a length error, and the queue pair goes on", "[flow]") {
    pair_of_queues nic;
    const bytes frame = udp_frame();
    REQUIRE(nic.receiver.post_receive(1, {nic.buffers.entry(nic.at, frame.size() - 1)}) == 0);
    REQUIRE(nic.receiver.post_receive(2, {nic.buffers.entry(nic.at, frame.size())}) == 0);
    nic.send(frame);
    const ibv_wc bad = nic.receive();
    CHECK(bad.wr_id == 1);
    CHECK(bad.status == IBV_WC_LOC_LEN_ERR);
    nic.send(frame);
    const ibv_wc good = nic.receive();
    CHECK(good.wr_id == 2);
    CHECK(good.status == IBV_WC_SUCCESS);
}

TEST_CASE("a buffer with an unknown key is a protection error, and the queue pair breaks", "[flow]") {
    pair_of_queues nic;
    ibv_sge wrong = nic.buffers.entry(nic.at, 2048);
    wrong.lkey ^= 0x5500;
    REQUIRE(nic.receiver.post_receive(1, {wrong}) == 0);
    REQUIRE(nic.receiver.post_receive(2, {nic.buffers.entry(nic.at, 2048)}) == 0);
    nic.send(udp_frame());
    const auto done = nic.receiver.completions(2);
    REQUIRE(done.size() == 2);
    CHECK(done[0].wr_id == 1);
    CHECK(done[0].status == IBV_WC_LOC_PROT_ERR);
    CHECK(done[1].status == IBV_WC_WR_FLUSH_ERR);
    CHECK(nic.receiver.state() == IBV_QPS_ERR);
}

TEST_CASE("a buffer that ends outside its region is a protection error, and nothing is written there", "[flow]") {
    pair_of_queues nic;
    memory small(nic.nic, 4096);
    REQUIRE(nic.receiver.post_receive(1, {small.entry(4000, 2048)}) == 0);
    nic.send(udp_frame());
    CHECK(nic.receive().status == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("a buffer in a region without local write is a protection error", "[flow]") {
    pair_of_queues nic;
    const memory read_only(nic.nic, 4096, 0);
    REQUIRE(nic.receiver.post_receive(1, {read_only.entry(0, 2048)}) == 0);
    nic.send(udp_frame());
    CHECK(nic.receive().status == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("a buffer in a region of another domain is a protection error", "[flow]") {
    pair_of_queues nic;
    device other;
    const handle<ibv_pd> domain(ibv_alloc_pd(nic.nic.context.get()));
    bytes data(4096);
    const handle<ibv_mr> region(ibv_reg_mr(domain.get(), data.data(), data.size(), int{IBV_ACCESS_LOCAL_WRITE}));
    REQUIRE(nic.receiver.post_receive(1, {{reinterpret_cast<std::uintptr_t>(data.data()), 2048, region->lkey}}) == 0);
    nic.send(udp_frame());
    CHECK(nic.receive().status == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("the key of a region that is gone is a protection error", "[flow]") {
    pair_of_queues nic;
    ibv_sge stale;
    {
        const memory gone(nic.nic, 4096);
        stale = gone.entry(0, 2048);
    }
    const memory reuses_the_slot(nic.nic, 4096);
    REQUIRE(nic.receiver.post_receive(1, {stale}) == 0);
    nic.send(udp_frame());
    CHECK(nic.receive().status == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("with no buffer posted frames are dropped and counted in the port's hardware counters", "[flow]") {
    pair_of_queues nic;
    const std::uint64_t before = nic.out_of_buffer(0);
    for (int i = 0; i < 5; ++i) nic.send(udp_frame());
    CHECK(nic.out_of_buffer(before + 5) == before + 5);
    REQUIRE(nic.receiver.post_receive(1, {nic.buffers.entry(nic.at, 2048)}) == 0);
    CHECK(nic.receiver.stays_empty());
    nic.send(udp_frame());
    CHECK(nic.receive().wr_id == 1);
}

TEST_CASE("the port's hardware counters keep what queue pairs that are gone have lost", "[flow]") {
    const device holds_it_open;
    const std::uint64_t before = pair_of_queues().out_of_buffer(0);
    for (std::uint64_t gone = 0; gone < 3; ++gone) {
        pair_of_queues nic;
        nic.send(udp_frame());
        CHECK(nic.out_of_buffer(before + gone + 1) == before + gone + 1);
    }
}

TEST_CASE("a queue pair in INIT has rules and buffers, and receives nothing until it is in RTR", "[flow]") {
    device nic;
    queue sender(nic);
    sender.bring_to(IBV_QPS_RTS);
    queue receiver(nic);
    receiver.bring_to(IBV_QPS_INIT);
    memory buffers(nic, 8192);
    receiver.post_receives(buffers, 1, 2048);
    const auto flow = group_rule().create(receiver);
    REQUIRE(flow);
    const bytes frame = udp_frame();
    std::copy(frame.begin(), frame.end(), buffers.data.begin() + 4096);
    REQUIRE(sender.post_send(0, {buffers.entry(4096, frame.size())}) == 0);
    CHECK(receiver.stays_empty());
    REQUIRE(receiver.modify(IBV_QPS_RTR) == 0);
    REQUIRE(sender.post_send(0, {buffers.entry(4096, frame.size())}) == 0);
    CHECK(receiver.completions(1).size() == 1);
}

TEST_CASE("a frame whose checksums hold is flagged, one whose do not is delivered without the flag", "[flow]") {
    pair_of_queues nic;
    nic.receiver.post_receives(nic.buffers, 4, 2048);
    nic.send(udp_frame());
    CHECK((nic.receive().wc_flags & IBV_WC_IP_CSUM_OK) != 0);
    bytes bad_payload = udp_frame();
    bad_payload.back() ^= std::byte{1};
    nic.send(bad_payload);
    CHECK((nic.receive().wc_flags & IBV_WC_IP_CSUM_OK) == 0);
    bytes bad_header = udp_frame();
    bad_header[22] ^= std::byte{1};  // the hop limit
    nic.send(bad_header);
    CHECK((nic.receive().wc_flags & IBV_WC_IP_CSUM_OK) == 0);
    nic.send(udp_frame({.payload = 33}));
    CHECK((nic.receive().wc_flags & IBV_WC_IP_CSUM_OK) != 0);
}

TEST_CASE("queue pairs, rules and regions come and go under traffic", "[flow]") {
    device nic;
    queue sender(nic);
    sender.bring_to(IBV_QPS_RTS);
    memory outgoing(nic, 4096);
    const bytes frame = udp_frame();
    std::copy(frame.begin(), frame.end(), outgoing.data.begin());
    std::atomic<bool> stop{false};
    std::thread traffic([&] {
        while (!stop) {
            sender.post_send(0, {outgoing.entry(0, frame.size())});
            sender.completions(1);
        }
    });
    std::size_t received = 0;
    std::size_t damaged = 0;
    for (int round = 0; round < 60; ++round) {
        queue receiver(nic, {.events = true});
        receiver.bring_to(IBV_QPS_RTR);
        const memory buffers(nic, 8 * 2048);
        receiver.post_receives(buffers, 8, 2048);
        const auto first = group_rule().create(receiver);
        auto second = group_rule("239.1.2.3", 5001).create(receiver);
        REQUIRE(ibv_req_notify_cq(receiver.cq.get(), 0) == 0);
        const auto done = receiver.completions(round % 9);
        for (const ibv_wc& each : done) {
            const auto from = buffers.data.begin() + static_cast<std::ptrdiff_t>(each.wr_id * 2048);
            if (!std::equal(frame.begin(), frame.end(), from)) ++damaged;
        }
        received += done.size();
        second.reset();
        if (round % 2 == 0) REQUIRE(receiver.modify(IBV_QPS_ERR) == 0);
        if (round % 3 == 0) REQUIRE(receiver.modify(IBV_QPS_RESET) == 0);
    }
    stop = true;
    traffic.join();
    CHECK(received > 60);
    CHECK(damaged == 0);
}

TEST_CASE("frames of one sender arrive in the order in which they were sent", "[flow]") {
    pair_of_queues nic({.completions = 512, .requests = 256});
    constexpr std::uint64_t number = 200;
    for (std::uint64_t id = 0; id < number; ++id) {
        REQUIRE(nic.receiver.post_receive(id, {nic.buffers.entry(nic.at + id * 200, 200)}) == 0);
    }
    for (std::uint64_t i = 0; i < number; ++i) nic.send(udp_frame({.fill = static_cast<std::uint8_t>(i)}));
    const auto done = nic.receiver.completions(number);
    REQUIRE(done.size() == number);
    for (std::uint64_t i = 0; i < number; ++i) {
        CHECK(done[i].wr_id == i);
        CHECK(nic.buffers.data[nic.at + i * 200 + 50] == std::byte(i));
    }
}

TEST_CASE("a queue pair that strips VLAN tags delivers the frame without it and reports the tag", "[flow]") {
    pair_of_queues nic(
        {.create_flags = IBV_QP_CREATE_CVLAN_STRIPPING, .wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_CVLAN});
    REQUIRE(nic.receiver.post_receive(1, {nic.buffers.entry(nic.at, 60), nic.buffers.entry(nic.at + 60, 2000)}) == 0);
    nic.send(udp_frame({.vlan = 0x2005}));
    auto* cq = reinterpret_cast<ibv_cq_ex*>(nic.receiver.cq.get());
    ibv_poll_cq_attr attributes{};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    int error = ENOENT;
    while (error != 0 && std::chrono::steady_clock::now() < until) error = ibv_start_poll(cq, &attributes);
    REQUIRE(error == 0);
    const bytes untagged = udp_frame();
    CHECK(ibv_wc_read_byte_len(cq) == untagged.size());
    CHECK(ibv_wc_read_cvlan(cq) == 0x2005);
    ibv_end_poll(cq);
    CHECK(std::equal(untagged.begin(), untagged.end(), nic.buffers.data.begin() + nic.at));
}
