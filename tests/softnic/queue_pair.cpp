// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <tuple>
#include <vector>

using namespace nic_test;

namespace {

int create_errno(device& nic, ibv_qp_init_attr initial) {
    const handle<ibv_cq> cq(ibv_create_cq(nic.context.get(), 16, nullptr, nullptr, 0));
    initial.send_cq = initial.recv_cq = cq.get();
    errno = 0;
    const handle<ibv_qp> pair(ibv_create_qp(nic.domain.get(), &initial));
    return pair ? 0 : errno;
}

ibv_qp_init_attr raw(ibv_qp_cap capacity) {
    ibv_qp_init_attr initial{};
    initial.cap = capacity;
    initial.qp_type = IBV_QPT_RAW_PACKET;
    return initial;
}

}  // namespace

TEST_CASE("a raw queue pair goes RESET, INIT, RTR, RTS with the state, and the port at INIT", "[raw]") {
    device nic;
    queue pair(nic);
    CHECK(pair.state() == IBV_QPS_RESET);
    CHECK(pair.modify(IBV_QPS_INIT, IBV_QP_STATE | IBV_QP_PORT) == 0);
    CHECK(pair.state() == IBV_QPS_INIT);
    CHECK(pair.modify(IBV_QPS_RTR) == 0);
    CHECK(pair.modify(IBV_QPS_RTS) == 0);
    CHECK(pair.state() == IBV_QPS_RTS);
}

TEST_CASE("a transition without an attribute that it requires changes nothing: EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    CHECK(pair.modify(IBV_QPS_INIT) == EINVAL);
    CHECK(pair.state() == IBV_QPS_RESET);
}

TEST_CASE("a transition that skips a state is EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    CHECK(pair.modify(IBV_QPS_RTR) == EINVAL);
    CHECK(pair.modify(IBV_QPS_RTS) == EINVAL);
    pair.bring_to(IBV_QPS_INIT);
    CHECK(pair.modify(IBV_QPS_RTS) == EINVAL);
    CHECK(pair.state() == IBV_QPS_INIT);
}

TEST_CASE("a port that the device does not have is EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    ibv_qp_attr attributes{};
    attributes.qp_state = IBV_QPS_INIT;
    attributes.port_num = 7;
    CHECK(ibv_modify_qp(pair.pair.get(), &attributes, IBV_QP_STATE | IBV_QP_PORT) == EINVAL);
}

TEST_CASE("an attribute of another transport is EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_INIT);
    CHECK(pair.modify(IBV_QPS_RTR, IBV_QP_STATE | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN) == EINVAL);
}

TEST_CASE("a queue pair may be reset or put into error from any state", "[raw]") {
    for (const ibv_qp_state from : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        device nic;
        queue pair(nic);
        pair.bring_to(from);
        CHECK(pair.modify(IBV_QPS_ERR) == 0);
        CHECK(pair.state() == IBV_QPS_ERR);
        CHECK(pair.modify(IBV_QPS_RTS) == EINVAL);
        CHECK(pair.modify(IBV_QPS_RESET) == 0);
        pair.bring_to(IBV_QPS_RTS);
    }
}

TEST_CASE("a current state that is not the queue pair's is EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_RTR);
    ibv_qp_attr attributes{};
    attributes.qp_state = IBV_QPS_RTS;
    attributes.cur_qp_state = IBV_QPS_RTS;
    CHECK(ibv_modify_qp(pair.pair.get(), &attributes, IBV_QP_STATE | IBV_QP_CUR_STATE) == EINVAL);
    attributes.cur_qp_state = IBV_QPS_RTR;
    CHECK(ibv_modify_qp(pair.pair.get(), &attributes, IBV_QP_STATE | IBV_QP_CUR_STATE) == 0);
}

TEST_CASE("capacities beyond the device's limits are EINVAL, and those within are given at least", "[raw]") {
    device nic;
    ibv_device_attr limits{};
    REQUIRE(ibv_query_device(nic.context.get(), &limits) == 0);
    const auto over = [](int limit) { return static_cast<std::uint32_t>(limit) + 1; };
    CHECK(create_errno(nic, raw({over(limits.max_qp_wr), 1, 1, 1, 0})) != 0);
    CHECK(create_errno(nic, raw({1, over(limits.max_qp_wr), 1, 1, 0})) != 0);
    CHECK(create_errno(nic, raw({1, 1, over(limits.max_sge), 1, 0})) != 0);
    CHECK(create_errno(nic, raw({1, 1, 1, over(limits.max_sge), 0})) != 0);
    const queue pair(nic, {.requests = 33, .entries = 3, .inline_bytes = 64});
    ibv_qp_attr attributes{};
    ibv_qp_init_attr initial{};
    REQUIRE(ibv_query_qp(pair.pair.get(), &attributes, IBV_QP_CAP, &initial) == 0);
    CHECK(initial.cap.max_recv_wr >= 33);
    CHECK(initial.cap.max_recv_sge >= 3);
    CHECK(initial.cap.max_inline_data >= 64);
    CHECK(initial.qp_type == IBV_QPT_RAW_PACKET);
}

TEST_CASE("there are as many domains and raw queue pairs as the device says, then it is ENOMEM, until one is destroyed",
          "[raw]") {
    if (on_hardware()) return;  // which takes minutes for so many, and shares them with others
    device nic;
    ibv_device_attr limits{};
    REQUIRE(ibv_query_device(nic.context.get(), &limits) == 0);
    std::vector<handle<ibv_pd>> domains;
    for (int i = 1; i < limits.max_pd; ++i) domains.emplace_back(ibv_alloc_pd(nic.context.get()));
    CHECK(domains.back());
    errno = 0;
    CHECK_FALSE(handle<ibv_pd>(ibv_alloc_pd(nic.context.get())));
    CHECK(errno == ENOMEM);
    domains.pop_back();
    CHECK(handle<ibv_pd>(ibv_alloc_pd(nic.context.get())));

    const handle<ibv_cq> cq(ibv_create_cq(nic.context.get(), 16, nullptr, nullptr, 0));
    ibv_qp_init_attr initial = raw({1, 1, 1, 1, 0});
    initial.send_cq = initial.recv_cq = cq.get();
    std::vector<handle<ibv_qp>> pairs;
    for (int i = 0; i < limits.max_raw_ethy_qp; ++i) pairs.emplace_back(ibv_create_qp(nic.domain.get(), &initial));
    CHECK(pairs.back());
    errno = 0;
    CHECK_FALSE(handle<ibv_qp>(ibv_create_qp(nic.domain.get(), &initial)));
    CHECK(errno == ENOMEM);
    pairs.pop_back();
    CHECK(handle<ibv_qp>(ibv_create_qp(nic.domain.get(), &initial)));
}

TEST_CASE("posting a receive in RESET is EINVAL, and from INIT on it is taken", "[raw]") {
    device nic;
    queue pair(nic);
    const memory buffers(nic, 2048);
    CHECK(pair.post_receive(1, {buffers.entry(0, 2048)}) == EINVAL);
    pair.bring_to(IBV_QPS_INIT);
    CHECK(pair.post_receive(1, {buffers.entry(0, 2048)}) == 0);
}

TEST_CASE("posting a send before RTS is EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    const memory buffers(nic, 2048);
    for (const ibv_qp_state state : {IBV_QPS_INIT, IBV_QPS_RTR}) {
        pair.bring_to(state);
        CHECK(pair.post_send(1, {buffers.entry(0, 64)}) == EINVAL);
        REQUIRE(pair.modify(IBV_QPS_RESET) == 0);
    }
}

TEST_CASE("a receive queue takes as many requests as it was made for, then it is ENOMEM and names the bad one",
          "[raw]") {
    device nic;
    queue pair(nic, {.requests = 8});
    pair.bring_to(IBV_QPS_INIT);
    const memory buffers(nic, 2048);
    ibv_qp_attr attributes{};
    ibv_qp_init_attr initial{};
    REQUIRE(ibv_query_qp(pair.pair.get(), &attributes, IBV_QP_CAP, &initial) == 0);
    for (std::uint32_t i = 0; i < initial.cap.max_recv_wr; ++i) {
        REQUIRE(pair.post_receive(i, {buffers.entry(0, 2048)}) == 0);
    }
    ibv_sge entry = buffers.entry(0, 2048);
    ibv_recv_wr request{};
    request.sg_list = &entry;
    request.num_sge = 1;
    ibv_recv_wr* bad = nullptr;
    CHECK(ibv_post_recv(pair.pair.get(), &request, &bad) == ENOMEM);
    CHECK(bad == &request);
}

TEST_CASE("a list of requests is taken up to the first bad one", "[raw]") {
    device nic;
    queue pair(nic, {.entries = 1});
    pair.bring_to(IBV_QPS_INIT);
    const memory buffers(nic, 4096);
    std::vector<ibv_sge> entries(64, buffers.entry(0, 8));
    ibv_recv_wr second{};
    second.sg_list = entries.data();
    second.num_sge = 40;  // more than any queue pair made for one has
    ibv_recv_wr first{};
    first.next = &second;
    first.sg_list = entries.data();
    first.num_sge = 1;
    ibv_recv_wr* bad = nullptr;
    CHECK(ibv_post_recv(pair.pair.get(), &first, &bad) != 0);
    CHECK(bad == &second);
    REQUIRE(pair.modify(IBV_QPS_ERR) == 0);
    CHECK(pair.completions(2, std::chrono::milliseconds(200)).size() == 1);
}

TEST_CASE("a place in the receive queue is free again when the completion has been polled", "[flow]") {
    device nic;
    queue both(nic, {.requests = 4});
    both.bring_to(IBV_QPS_RTS);
    const auto flow = group_rule().create(both);
    memory buffers(nic, 16384);
    const bytes frame = udp_frame();
    std::copy(frame.begin(), frame.end(), buffers.data.begin());
    for (std::uint64_t round = 0; round < 20; ++round) {
        REQUIRE(both.post_receive(round, {buffers.entry(4096, 2048)}) == 0);
        REQUIRE(both.post_send(round, {buffers.entry(0, frame.size())}) == 0);
        REQUIRE(both.completions(2).size() == 2);
    }
}

TEST_CASE("in error, what was posted and what is posted comes back flushed, in order", "[raw]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_RTS);
    const memory buffers(nic, 4096);
    pair.post_receives(buffers, 3, 1024);
    REQUIRE(pair.modify(IBV_QPS_ERR) == 0);
    REQUIRE(pair.post_receive(3, {buffers.entry(0, 1024)}) == 0);
    const auto done = pair.completions(4);
    REQUIRE(done.size() == 4);
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK(done[i].wr_id == i);
        CHECK(done[i].status == IBV_WC_WR_FLUSH_ERR);
        CHECK(done[i].qp_num == pair.pair->qp_num);
    }
    REQUIRE(pair.post_send(9, {buffers.entry(0, 64)}, 0) == 0);
    const auto sent = pair.completions(1);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].status == IBV_WC_WR_FLUSH_ERR);
}

TEST_CASE("a reset forgets what was posted, and what was completed but not polled", "[raw]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_RTS);
    const memory buffers(nic, 4096);
    pair.post_receives(buffers, 3, 1024);
    REQUIRE(pair.modify(IBV_QPS_ERR) == 0);
    REQUIRE(pair.modify(IBV_QPS_RESET) == 0);
    CHECK(pair.stays_empty());
}

TEST_CASE("a queue pair that a flow rule uses is busy, and so are the completion queues of a queue pair", "[flow]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_RTR);
    const auto flow = group_rule().create(pair);
    REQUIRE(flow);
    CHECK(ibv_destroy_qp(pair.pair.get()) == EBUSY);
    CHECK(ibv_destroy_cq(pair.cq.get()) == EBUSY);
}

TEST_CASE("a raw queue pair cannot be attached to a multicast group: EINVAL", "[raw]") {
    device nic;
    queue pair(nic);
    pair.bring_to(IBV_QPS_RTR);
    ibv_gid group{};
    group.raw[0] = 0xff;
    CHECK(ibv_attach_mcast(pair.pair.get(), &group, 0) == EINVAL);
}

TEST_CASE("a send queue in SQD holds what is posted until it is back in RTS", "[raw]") {
    device nic;
    queue both(nic);
    both.bring_to(IBV_QPS_RTS);
    const memory buffers(nic, 4096);
    REQUIRE(both.modify(IBV_QPS_SQD) == 0);
    REQUIRE(both.post_send(1, {buffers.entry(0, 64)}) == 0);
    CHECK(both.stays_empty());
    REQUIRE(both.modify(IBV_QPS_RTS) == 0);
    CHECK(both.completions(1).size() == 1);
}

TEST_CASE("only a queue pair made with send operations has the extended send interface", "[raw]") {
    device nic;
    const queue plain(nic);
    CHECK(ibv_qp_to_qp_ex(plain.pair.get()) == nullptr);
    const queue extended(nic, {.send_operations = IBV_QP_EX_WITH_SEND});
    CHECK(ibv_qp_to_qp_ex(extended.pair.get()) != nullptr);
}
