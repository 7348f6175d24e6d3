// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>

using namespace nic_test;

namespace {

bool readable(int descriptor, int milliseconds) {
    pollfd watched{descriptor, POLLIN, 0};
    return ::poll(&watched, 1, milliseconds) == 1;
}

/// A queue pair that sends to itself.
struct loop {
    explicit loop(queue_options options = {}) : both(nic, options), buffers(nic, 1 << 18) {
        both.bring_to(IBV_QPS_RTS);
        flow = group_rule().create(both);
        frame = udp_frame();
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
    }
    void receive_ready(std::uint64_t id = 0) const { REQUIRE(both.post_receive(id, {buffers.entry(4096, 2048)}) == 0); }
    void send() const { REQUIRE(both.post_send(99, {buffers.entry(0, frame.size())}, 0) == 0); }
    void take_event() const {
        ibv_cq* cq = nullptr;
        void* user = nullptr;
        REQUIRE(ibv_get_cq_event(both.channel.get(), &cq, &user) == 0);
        CHECK(cq == both.cq.get());
        ibv_ack_cq_events(cq, 1);
    }

    device nic;
    queue both;
    memory buffers;
    handle<ibv_flow> flow;
    bytes frame;
};

}  // namespace

TEST_CASE("a completion raises an event on the channel's descriptor when it was asked for", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 0) == 0);
    CHECK_FALSE(readable(nic.both.channel->fd, 0));
    nic.send();
    CHECK(readable(nic.both.channel->fd, 2000));
    nic.take_event();
    CHECK_FALSE(readable(nic.both.channel->fd, 50));
}

TEST_CASE("a completion raises no event when none was asked for", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    nic.send();
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK_FALSE(readable(nic.both.channel->fd, 50));
}

TEST_CASE("a request for notification is good for one event", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    nic.receive_ready();
    REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 0) == 0);
    nic.send();
    nic.send();
    REQUIRE(nic.both.completions(2).size() == 2);
    nic.take_event();
    CHECK_FALSE(readable(nic.both.channel->fd, 50));
}

TEST_CASE("a completion that was there before the request raises no event", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    nic.receive_ready();
    nic.send();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // nothing announces a completion that raises no event
    REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 0) == 0);
    // Some NICs raise it at once, which the man page does not promise: a program must not wait for it.
    if (!on_hardware()) CHECK_FALSE(readable(nic.both.channel->fd, 50));
    nic.send();
    CHECK(readable(nic.both.channel->fd, 2000));
    nic.take_event();
}

TEST_CASE("a request for solicited completions raises an event for a failure and for nothing else here", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    nic.receive_ready();
    REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 1) == 0);
    nic.send();
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK_FALSE(readable(nic.both.channel->fd, 50));
    REQUIRE(nic.both.modify(IBV_QPS_ERR) == 0);
    CHECK(readable(nic.both.channel->fd, 2000));
    nic.take_event();
}

TEST_CASE("the channel works in an edge-triggered epoll set, and when it does not block it gives EAGAIN", "[flow]") {
    loop nic({.events = true});
    const int fd = nic.both.channel->fd;
    REQUIRE(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
    REQUIRE(::epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted) == 0);
    for (int round = 0; round < 3; ++round) {
        nic.receive_ready();
        REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 0) == 0);
        nic.send();
        epoll_event seen{};
        CHECK(::epoll_wait(set, &seen, 1, 2000) == 1);
        nic.take_event();
        ibv_cq* cq = nullptr;
        void* user = nullptr;
        errno = 0;
        CHECK(ibv_get_cq_event(nic.both.channel.get(), &cq, &user) == -1);
        CHECK(errno == EAGAIN);
        REQUIRE(nic.both.completions(1).size() == 1);
    }
    ::close(set);
}

TEST_CASE("ibv_get_cq_event waits until there is an event", "[flow]") {
    loop nic({.events = true});
    nic.receive_ready();
    REQUIRE(ibv_req_notify_cq(nic.both.cq.get(), 0) == 0);
    auto waiting = std::async(std::launch::async, [&] {
        ibv_cq* cq = nullptr;
        void* user = nullptr;
        const int error = ibv_get_cq_event(nic.both.channel.get(), &cq, &user);
        if (error == 0) ibv_ack_cq_events(cq, 1);
        return error == 0 && cq == nic.both.cq.get() && user == &nic.both;
    });
    CHECK(waiting.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    nic.send();
    CHECK(waiting.get());
}

TEST_CASE("destroying a completion queue waits until its events have been acknowledged", "[raw]") {
    device nic;
    auto other = std::make_unique<queue>(nic, queue_options{.events = true});
    other->bring_to(IBV_QPS_INIT);
    const memory buffers(nic, 4096);
    REQUIRE(other->post_receive(1, {buffers.entry(0, 64)}) == 0);
    REQUIRE(ibv_req_notify_cq(other->cq.get(), 0) == 0);
    REQUIRE(other->modify(IBV_QPS_ERR) == 0);
    ibv_cq* cq = nullptr;
    void* user = nullptr;
    REQUIRE(ibv_get_cq_event(other->channel.get(), &cq, &user) == 0);
    other->pair.reset();
    auto destroying = std::async(std::launch::async, [&] { return ibv_destroy_cq(other->cq.release()); });
    CHECK(destroying.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    ibv_ack_cq_events(cq, 1);
    CHECK(destroying.get() == 0);
}

TEST_CASE("an event that nobody has taken goes with its completion queue", "[raw]") {
    device nic;
    const handle<ibv_comp_channel> channel(ibv_create_comp_channel(nic.context.get()));
    handle<ibv_cq> cq(ibv_create_cq(nic.context.get(), 16, nullptr, channel.get(), 0));
    {
        ibv_qp_init_attr initial{};
        initial.send_cq = initial.recv_cq = cq.get();
        initial.cap = {1, 1, 1, 1, 0};
        initial.qp_type = IBV_QPT_RAW_PACKET;
        const handle<ibv_qp> pair(ibv_create_qp(nic.domain.get(), &initial));
        REQUIRE(pair);
        ibv_qp_attr attributes{};
        attributes.qp_state = IBV_QPS_INIT;
        attributes.port_num = 1;
        REQUIRE(ibv_modify_qp(pair.get(), &attributes, IBV_QP_STATE | IBV_QP_PORT) == 0);
        ibv_recv_wr request{};
        ibv_recv_wr* bad = nullptr;
        REQUIRE(ibv_post_recv(pair.get(), &request, &bad) == 0);
        REQUIRE(ibv_req_notify_cq(cq.get(), 0) == 0);
        attributes.qp_state = IBV_QPS_ERR;
        REQUIRE(ibv_modify_qp(pair.get(), &attributes, IBV_QP_STATE) == 0);
    }
    CHECK(readable(channel->fd, 2000));
    cq.reset();
    CHECK_FALSE(readable(channel->fd, 0));
}

TEST_CASE("a channel that a completion queue uses is busy", "[any]") {
    device nic;
    const handle<ibv_comp_channel> channel(ibv_create_comp_channel(nic.context.get()));
    const handle<ibv_cq> cq(ibv_create_cq(nic.context.get(), 16, nullptr, channel.get(), 0));
    CHECK(ibv_destroy_comp_channel(channel.get()) == EBUSY);
}

TEST_CASE("a completion queue of no size, beyond the limit, or on a vector that is not there is EINVAL", "[any]") {
    device nic;
    ibv_device_attr limits{};
    REQUIRE(ibv_query_device(nic.context.get(), &limits) == 0);
    for (const int entries : {0, -1, limits.max_cqe + 1}) {
        errno = 0;
        CHECK(ibv_create_cq(nic.context.get(), entries, nullptr, nullptr, 0) == nullptr);
        CHECK(errno == EINVAL);
    }
    CHECK(ibv_create_cq(nic.context.get(), 1, nullptr, nullptr, nic.context->num_comp_vectors) == nullptr);
    CHECK(errno == EINVAL);
}

TEST_CASE("polling gives at most as many completions as were asked for, oldest first", "[flow]") {
    loop nic;
    for (std::uint64_t id = 0; id < 5; ++id) nic.receive_ready(id);
    for (int i = 0; i < 5; ++i) nic.send();
    std::vector<ibv_wc> entries(5);
    int polled = 0;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (polled < 5 && std::chrono::steady_clock::now() < until) {
        const int got =
            ibv_poll_cq(nic.both.cq.get(), std::min(2, 5 - polled), &entries[static_cast<std::size_t>(polled)]);
        REQUIRE(got <= 2);
        polled += got;
    }
    REQUIRE(polled == 5);
    for (std::uint64_t id = 0; id < 5; ++id) CHECK(entries[id].wr_id == id);
}

TEST_CASE("a completion queue that overruns raises an event, breaks the queue pair, and cannot be used", "[flow]") {
    loop nic({.completions = 4});
    const int capacity = nic.both.cq->cqe;
    for (int i = 0; i <= capacity; ++i) nic.receive_ready();
    for (int i = 0; i <= capacity; ++i) nic.send();
    bool queue_error = false;
    bool pair_fatal = false;
    for (int i = 0; i < 2; ++i) {
        REQUIRE(readable(nic.nic.context->async_fd, 5000));
        ibv_async_event event{};
        REQUIRE(ibv_get_async_event(nic.nic.context.get(), &event) == 0);
        queue_error = queue_error || (event.event_type == IBV_EVENT_CQ_ERR && event.element.cq == nic.both.cq.get());
        pair_fatal = pair_fatal || (event.event_type == IBV_EVENT_QP_FATAL && event.element.qp == nic.both.pair.get());
        ibv_ack_async_event(&event);
    }
    CHECK(queue_error);
    CHECK(pair_fatal);
    ibv_wc entry{};
    if (!on_hardware()) CHECK(ibv_poll_cq(nic.both.cq.get(), 1, &entry) < 0);
    CHECK(nic.both.state() == IBV_QPS_ERR);
}

TEST_CASE("a completion queue made to ignore overruns goes on, and loses the oldest completions", "[flow]") {
    loop nic({.completions = 4, .wc_flags = IBV_WC_STANDARD_FLAGS, .cq_flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN});
    for (std::uint64_t id = 0; id < 10; ++id) nic.receive_ready(id);
    for (int i = 0; i < 10; ++i) nic.send();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // a queue that is full tells nobody of more
    const auto done = nic.both.completions(10, std::chrono::milliseconds(100));
    REQUIRE_FALSE(done.empty());
    CHECK(done.size() < 10);
    CHECK(done.back().wr_id == 9);
}

TEST_CASE("resizing keeps the completions that are there, and refuses to lose one", "[flow]") {
    loop nic({.completions = 8});
    for (std::uint64_t id = 0; id < 6; ++id) nic.receive_ready(id);
    REQUIRE(nic.both.modify(IBV_QPS_ERR) == 0);
    CHECK(ibv_resize_cq(nic.both.cq.get(), 2) != 0);
    REQUIRE(ibv_resize_cq(nic.both.cq.get(), 100) == 0);
    CHECK(nic.both.cq->cqe >= 100);
    const auto done = nic.both.completions(6);
    REQUIRE(done.size() == 6);
    CHECK(done[5].wr_id == 5);
}

TEST_CASE("destroying a queue pair takes its completions out of a shared completion queue, and only its own", "[raw]") {
    device nic;
    const handle<ibv_cq> cq(ibv_create_cq(nic.context.get(), 16, nullptr, nullptr, 0));
    std::vector<handle<ibv_qp>> pairs;
    for (std::uint64_t id = 0; id < 2; ++id) {
        ibv_qp_init_attr initial{};
        initial.send_cq = initial.recv_cq = cq.get();
        initial.cap = {1, 1, 1, 1, 0};
        initial.qp_type = IBV_QPT_RAW_PACKET;
        pairs.emplace_back(ibv_create_qp(nic.domain.get(), &initial));
        ibv_qp_attr attributes{};
        attributes.qp_state = IBV_QPS_INIT;
        attributes.port_num = 1;
        REQUIRE(ibv_modify_qp(pairs[id].get(), &attributes, IBV_QP_STATE | IBV_QP_PORT) == 0);
        ibv_recv_wr request{};
        request.wr_id = id;
        ibv_recv_wr* bad = nullptr;
        REQUIRE(ibv_post_recv(pairs[id].get(), &request, &bad) == 0);
        attributes.qp_state = IBV_QPS_ERR;
        REQUIRE(ibv_modify_qp(pairs[id].get(), &attributes, IBV_QP_STATE) == 0);
    }
    pairs[0].reset();
    std::vector<ibv_wc> entries(4);
    REQUIRE(ibv_poll_cq(cq.get(), 4, entries.data()) == 1);
    CHECK(entries[0].wr_id == 1);
}

// --- extended completion queues ---

TEST_CASE("an extended completion queue that is empty is ENOENT, and can be polled again", "[flow]") {
    loop nic({.wc_flags = IBV_WC_STANDARD_FLAGS});
    auto* cq = reinterpret_cast<ibv_cq_ex*>(nic.both.cq.get());
    ibv_poll_cq_attr attributes{};
    CHECK(ibv_start_poll(cq, &attributes) == ENOENT);
    CHECK(ibv_start_poll(cq, &attributes) == ENOENT);
}

TEST_CASE("a batch of an extended completion queue ends with ENOENT, and loses nothing by ending there", "[flow]") {
    loop nic({.wc_flags = IBV_WC_STANDARD_FLAGS});
    auto* cq = reinterpret_cast<ibv_cq_ex*>(nic.both.cq.get());
    constexpr std::uint64_t number = 20;
    for (std::uint64_t id = 0; id < number; ++id) nic.receive_ready(id);
    std::uint64_t seen = 0;
    ibv_poll_cq_attr attributes{};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (std::uint64_t i = 0; i < number; ++i) nic.send();
    while (seen < number && std::chrono::steady_clock::now() < until) {
        if (ibv_start_poll(cq, &attributes) != 0) continue;
        do {
            CHECK(cq->wr_id == seen);
            CHECK(cq->status == IBV_WC_SUCCESS);
            CHECK(ibv_wc_read_opcode(cq) == IBV_WC_RECV);
            CHECK(ibv_wc_read_byte_len(cq) == nic.frame.size());
            CHECK(ibv_wc_read_qp_num(cq) == nic.both.pair->qp_num);
            ++seen;
        } while (ibv_next_poll(cq) == 0);
        ibv_end_poll(cq);
    }
    CHECK(seen == number);
}

TEST_CASE("completion timestamps lie between two readings of the device's clock, and never go back", "[flow]") {
    loop nic({.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK});
    auto* cq = reinterpret_cast<ibv_cq_ex*>(nic.both.cq.get());
    const auto clock = [&] {
        ibv_values_ex values{.comp_mask = IBV_VALUES_MASK_RAW_CLOCK, .raw_clock = {}};
        REQUIRE(ibv_query_rt_values_ex(nic.nic.context.get(), &values) == 0);
        return static_cast<std::uint64_t>(values.raw_clock.tv_nsec);
    };
    std::uint64_t before = clock();
    for (int i = 0; i < 10; ++i) {
        nic.receive_ready();
        nic.send();
        ibv_poll_cq_attr attributes{};
        while (ibv_start_poll(cq, &attributes) != 0) {
        }
        const std::uint64_t stamp = ibv_wc_read_completion_ts(cq);
        const std::uint64_t wall = ibv_wc_read_completion_wallclock_ns(cq);
        ibv_end_poll(cq);
        CHECK(stamp >= before);
        CHECK(stamp <= clock());
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto age = std::chrono::nanoseconds(now) - std::chrono::nanoseconds(wall);
        CHECK(age > std::chrono::seconds(-1));
        CHECK(age < std::chrono::seconds(10));
        before = stamp;
    }
}

TEST_CASE("a wall clock timestamp says when the frame came, however late it is read", "[flow]") {
    loop nic({.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK});
    const auto now = [] {
        return static_cast<std::uint64_t>(
            std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
    };
    const std::uint64_t before = now();
    for (int i = 0; i < 3; ++i) {
        nic.receive_ready();
        nic.send();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::uint64_t after = now();
    auto* cq = reinterpret_cast<ibv_cq_ex*>(nic.both.cq.get());
    ibv_poll_cq_attr attributes{};
    REQUIRE(ibv_start_poll(cq, &attributes) == 0);
    std::uint64_t earlier = before;
    for (int i = 0; i < 3; ++i) {
        if (i > 0) REQUIRE(ibv_next_poll(cq) == 0);
        const std::uint64_t stamp = ibv_wc_read_completion_wallclock_ns(cq);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        CHECK(stamp >= earlier);
        CHECK(stamp <= after);
        CHECK(stamp == ibv_wc_read_completion_wallclock_ns(cq));
        earlier = stamp;
    }
    ibv_end_poll(cq);
}

TEST_CASE("what an extended completion queue cannot report is refused when it is made", "[any]") {
    device nic;
    ibv_cq_init_attr_ex initial{};
    initial.cqe = 1;
    initial.wc_flags = std::uint64_t{1} << 40;
    errno = 0;
    CHECK(ibv_create_cq_ex(nic.context.get(), &initial) == nullptr);
    CHECK(errno != 0);
    initial.wc_flags = 0;
    initial.comp_mask = 1U << 20;
    CHECK(ibv_create_cq_ex(nic.context.get(), &initial) == nullptr);
}
