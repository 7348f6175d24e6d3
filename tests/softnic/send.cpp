// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <numeric>

using namespace nic_test;

namespace {

/// A queue pair that receives what it sends.
struct loop {
    explicit loop(queue_options options = {}) : both(nic, options), buffers(nic, 1 << 18) {
        both.bring_to(IBV_QPS_RTS);
        flow = group_rule().create(both);
        REQUIRE(flow);
    }
    void put(const bytes& frame) { std::copy(frame.begin(), frame.end(), buffers.data.begin()); }
    bytes received(std::size_t size, std::size_t slot = 0) const {
        const auto from = buffers.data.begin() + static_cast<std::ptrdiff_t>(at + slot * 4096);
        return {from, from + static_cast<std::ptrdiff_t>(size)};
    }
    void receive_ready(std::size_t number = 1) const {
        for (std::size_t i = 0; i < number; ++i)
            REQUIRE(both.post_receive(100 + i, {buffers.entry(at + i * 4096, 4096)}) == 0);
    }
    static constexpr std::size_t at = 1 << 17;

    device nic;
    queue both;
    memory buffers;
    handle<ibv_flow> flow;
};

std::vector<ibv_wc> of(const std::vector<ibv_wc>& all, ibv_wc_opcode opcode) {
    std::vector<ibv_wc> some;
    for (const ibv_wc& each : all) {
        if (each.opcode == opcode) some.push_back(each);
    }
    return some;
}

}  // namespace

TEST_CASE("a signaled send completes with its id, and an unsignaled one in silence", "[flow]") {
    loop nic;
    nic.put(udp_frame());
    REQUIRE(nic.both.post_send(1, {nic.buffers.entry(0, 142)}, 0) == 0);
    REQUIRE(nic.both.post_send(2, {nic.buffers.entry(0, 142)}, IBV_SEND_SIGNALED) == 0);
    const auto done = nic.both.completions(2, std::chrono::milliseconds(200));
    REQUIRE(done.size() == 1);
    CHECK(done[0].wr_id == 2);
    CHECK(done[0].opcode == IBV_WC_SEND);
    CHECK(done[0].status == IBV_WC_SUCCESS);
}

TEST_CASE("a queue pair made to signal all sends completes each", "[flow]") {
    loop nic({.signal_all = true});
    nic.put(udp_frame());
    for (std::uint64_t id = 0; id < 3; ++id) REQUIRE(nic.both.post_send(id, {nic.buffers.entry(0, 142)}, 0) == 0);
    CHECK(nic.both.completions(3).size() == 3);
}

TEST_CASE("a gather list is sent as one frame", "[flow]") {
    loop nic;
    const bytes frame = udp_frame();
    nic.put(frame);
    nic.receive_ready();
    REQUIRE(nic.both.post_send(
                1, {nic.buffers.entry(0, 14), nic.buffers.entry(14, 28), nic.buffers.entry(42, frame.size() - 42)},
                0) == 0);
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK(nic.received(frame.size()) == frame);
}

TEST_CASE("inline data is taken when it is posted, and needs no region", "[flow]") {
    loop nic({.inline_bytes = 256});
    bytes frame = udp_frame();
    nic.receive_ready();
    const bytes sent = frame;
    REQUIRE(nic.both.post_send(
                1, {{reinterpret_cast<std::uintptr_t>(frame.data()), static_cast<std::uint32_t>(frame.size()), 0}},
                IBV_SEND_INLINE) == 0);
    std::fill(frame.begin(), frame.end(), std::byte{0});
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK(nic.received(sent.size()) == sent);
}

TEST_CASE("more inline data than the queue pair was made for is EINVAL", "[flow]") {
    loop nic({.inline_bytes = 32});
    bytes frame = udp_frame({.payload = 1000});
    CHECK(nic.both.post_send(
              1, {{reinterpret_cast<std::uintptr_t>(frame.data()), static_cast<std::uint32_t>(frame.size()), 0}},
              IBV_SEND_INLINE) != 0);
}

TEST_CASE("a send queue takes as many requests as it was made for until completions are polled, then it is ENOMEM",
          "[flow]") {
    loop nic({.requests = 8});
    nic.put(udp_frame());
    ibv_qp_attr attributes{};
    ibv_qp_init_attr initial{};
    REQUIRE(ibv_query_qp(nic.both.pair.get(), &attributes, IBV_QP_CAP, &initial) == 0);
    for (std::uint64_t id = 0; id < initial.cap.max_send_wr; ++id) {
        REQUIRE(nic.both.post_send(id, {nic.buffers.entry(0, 142)}) == 0);
    }
    CHECK(nic.both.post_send(99, {nic.buffers.entry(0, 142)}) == ENOMEM);
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK(nic.both.post_send(99, {nic.buffers.entry(0, 142)}) == 0);
}

TEST_CASE("an operation that a raw queue pair does not have is EINVAL", "[flow]") {
    loop nic;
    ibv_send_wr request{};
    request.opcode = IBV_WR_RDMA_WRITE;
    ibv_send_wr* bad = nullptr;
    CHECK(ibv_post_send(nic.both.pair.get(), &request, &bad) == EINVAL);
    CHECK(bad == &request);
}

TEST_CASE("a send whose memory is not the domain's completes with a protection error, and stops the send queue",
          "[flow]") {
    loop nic;
    ibv_sge wrong = nic.buffers.entry(0, 142);
    wrong.lkey ^= 0x5500;
    REQUIRE(nic.both.post_send(1, {wrong}, 0) == 0);
    auto done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].status == IBV_WC_LOC_PROT_ERR);
    if (on_hardware()) return;
    CHECK(nic.both.state() == IBV_QPS_SQE);
    REQUIRE(nic.both.post_send(2, {nic.buffers.entry(0, 142)}, 0) == 0);
    done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].status == IBV_WC_WR_FLUSH_ERR);
    nic.put(udp_frame());
    REQUIRE(nic.both.modify(IBV_QPS_RTS) == 0);
    REQUIRE(nic.both.post_send(3, {nic.buffers.entry(0, 142)}) == 0);
    done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].status == IBV_WC_SUCCESS);
}

TEST_CASE("a frame larger than the port takes completes with an error and is not sent", "[flow]") {
    loop nic;
    nic.receive_ready();
    REQUIRE(nic.both.post_send(1, {nic.buffers.entry(0, 100000)}) == 0);
    const auto done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].wr_id == 1);
    CHECK(done[0].status != IBV_WC_SUCCESS);
}

TEST_CASE("checksum offload fills in the checksums of the IP header and the datagram", "[flow]") {
    for (const frame_options& options :
         {frame_options{}, frame_options{.source = "2001:db8::1", .destination = "ff3e::1"},
          frame_options{.payload = 101}}) {
        loop nic;
        const auto flow = rule().ethernet(mac_of_group(options.destination)).create(nic.both);
        REQUIRE(flow);
        frame_options open = options;
        open.checksums = false;
        nic.put(udp_frame(open));
        nic.receive_ready();
        const bytes wanted = udp_frame(options);
        REQUIRE(nic.both.post_send(1, {nic.buffers.entry(0, wanted.size())}, IBV_SEND_IP_CSUM) == 0);
        REQUIRE(nic.both.completions(1).size() == 1);
        CHECK(nic.received(wanted.size()) == wanted);
    }
}

TEST_CASE("a segmented send becomes frames of the segment size, each with its own lengths and checksums", "[flow]") {
    loop nic;
    nic.receive_ready(4);
    bytes header = udp_frame({.payload = 0});
    std::iota(reinterpret_cast<std::uint8_t*>(nic.buffers.data.data()),
              reinterpret_cast<std::uint8_t*>(nic.buffers.data.data()) + 2500, std::uint8_t{0});
    ibv_sge entry = nic.buffers.entry(0, 2500);
    ibv_send_wr request{};
    request.wr_id = 7;
    request.sg_list = &entry;
    request.num_sge = 1;
    request.opcode = IBV_WR_TSO;
    request.send_flags = IBV_SEND_SIGNALED;
    request.tso.hdr = header.data();
    request.tso.hdr_sz = static_cast<std::uint16_t>(header.size());
    request.tso.mss = 1000;
    ibv_send_wr* bad = nullptr;
    REQUIRE(ibv_post_send(nic.both.pair.get(), &request, &bad) == 0);
    const auto done = nic.both.completions(4);
    REQUIRE(done.size() == 4);
    CHECK(of(done, IBV_WC_TSO).size() == 1);
    const auto frames = of(done, IBV_WC_RECV);
    REQUIRE(frames.size() == 3);
    std::size_t sent = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t payload = i < 2 ? 1000 : 500;
        CHECK(frames[i].byte_len == header.size() + payload);
        CHECK((frames[i].wc_flags & IBV_WC_IP_CSUM_OK) != 0);
        const bytes frame = nic.received(frames[i].byte_len, i);
        CHECK(std::to_integer<std::size_t>(frame[38]) * 256 + std::to_integer<std::size_t>(frame[39]) == payload + 8);
        CHECK(std::to_integer<std::size_t>(frame[19]) == 7 + i);  // the identification counts up
        CHECK(
            std::equal(frame.begin() + 42, frame.end(), nic.buffers.data.begin() + static_cast<std::ptrdiff_t>(sent)));
        sent += payload;
    }
}

TEST_CASE("a segmented send whose header ends before the headers of the frame is cut all the same", "[flow]") {
    loop nic;
    nic.receive_ready(8);
    const bytes frame = udp_frame({.payload = 18});
    std::copy(frame.begin() + 14, frame.end(), nic.buffers.data.begin());
    bytes header(frame.begin(), frame.begin() + 14);
    ibv_sge entry = nic.buffers.entry(0, frame.size() - header.size());
    ibv_send_wr request{};
    request.sg_list = &entry;
    request.num_sge = 1;
    request.opcode = IBV_WR_TSO;
    request.send_flags = IBV_SEND_SIGNALED;
    request.tso.hdr = header.data();
    request.tso.hdr_sz = static_cast<std::uint16_t>(header.size());
    request.tso.mss = 8;
    ibv_send_wr* bad = nullptr;
    REQUIRE(ibv_post_send(nic.both.pair.get(), &request, &bad) == 0);
    const auto done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].opcode == IBV_WC_TSO);
    CHECK(done[0].status == IBV_WC_SUCCESS);
}

TEST_CASE("requests put together with the extended interface are sent when they are completed, in order", "[flow]") {
    loop nic({.inline_bytes = 256, .send_operations = IBV_QP_EX_WITH_SEND});
    const bytes first = udp_frame({.fill = 1});
    const bytes second = udp_frame({.fill = 2});
    nic.put(first);
    nic.receive_ready(2);
    ibv_qp_ex* pair = ibv_qp_to_qp_ex(nic.both.pair.get());
    ibv_wr_start(pair);
    pair->wr_id = 1;
    pair->wr_flags = 0;
    ibv_wr_send(pair);
    ibv_wr_set_sge(pair, nic.buffers.region->lkey, reinterpret_cast<std::uintptr_t>(nic.buffers.data.data()),
                   static_cast<std::uint32_t>(first.size()));
    pair->wr_id = 2;
    pair->wr_flags = IBV_SEND_SIGNALED;
    ibv_wr_send(pair);
    ibv_wr_set_inline_data(pair, const_cast<std::byte*>(second.data()), second.size());
    CHECK(nic.both.stays_empty());
    REQUIRE(ibv_wr_complete(pair) == 0);
    const auto done = nic.both.completions(3);
    REQUIRE(done.size() == 3);
    CHECK(of(done, IBV_WC_SEND).at(0).wr_id == 2);
    CHECK(nic.received(first.size(), 0) == first);
    CHECK(nic.received(second.size(), 1) == second);
}

TEST_CASE("requests that are aborted, or of which one is bad, are not sent", "[flow]") {
    loop nic({.send_operations = IBV_QP_EX_WITH_SEND});
    const bytes frame = udp_frame();
    nic.put(frame);
    nic.receive_ready();
    ibv_qp_ex* pair = ibv_qp_to_qp_ex(nic.both.pair.get());
    const auto send_one = [&] {
        pair->wr_flags = IBV_SEND_SIGNALED;
        ibv_wr_send(pair);
        ibv_wr_set_sge(pair, nic.buffers.region->lkey, reinterpret_cast<std::uintptr_t>(nic.buffers.data.data()),
                       static_cast<std::uint32_t>(frame.size()));
    };
    ibv_wr_start(pair);
    send_one();
    ibv_wr_abort(pair);
    if (!on_hardware()) {  // hardware leaves the other operations null
        ibv_wr_start(pair);
        send_one();
        ibv_wr_rdma_write(pair, 0, 0);
        CHECK(ibv_wr_complete(pair) == EINVAL);
    }
    CHECK(nic.both.stays_empty());
    ibv_wr_start(pair);
    send_one();
    CHECK(ibv_wr_complete(pair) == 0);
    CHECK(nic.both.completions(2).size() == 2);
}

TEST_CASE("a queue pair that blocks its own multicast does not hear it, and others do", "[flow]") {
    device nic;
    queue deaf(nic, {.create_flags = IBV_QP_CREATE_BLOCK_SELF_MCAST_LB});
    deaf.bring_to(IBV_QPS_RTS);
    const auto flow = group_rule().create(deaf);
    memory buffers(nic, 8192);
    REQUIRE(deaf.post_receive(1, {buffers.entry(4096, 4096)}) == 0);
    const bytes frame = udp_frame();
    std::copy(frame.begin(), frame.end(), buffers.data.begin());
    REQUIRE(deaf.post_send(2, {buffers.entry(0, frame.size())}, 0) == 0);
    CHECK(deaf.stays_empty());
}
