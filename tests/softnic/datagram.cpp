// SPDX-License-Identifier: BSD-3-Clause
// Datagram queue pairs and multicast groups, for RoCE devices; the software NIC has neither.
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>

using namespace nic_test;

namespace {

constexpr std::uint32_t key = 0x11111111;
constexpr std::uint32_t multicast_pair = 0xffffff;
constexpr std::size_t routing_bytes = 40;  ///< in front of each datagram
constexpr std::size_t slot_bytes = 2048;
constexpr const char* group = "239.7.7.7";

struct destroy_handle {
    void operator()(ibv_ah* each) const { ibv_destroy_ah(each); }
};
using address_handle = std::unique_ptr<ibv_ah, destroy_handle>;

ibv_gid mapped(const std::string& text) {
    ibv_gid gid{};
    gid.raw[10] = gid.raw[11] = 0xff;
    if (::inet_pton(AF_INET, text.c_str(), &gid.raw[12]) != 1) throw std::invalid_argument(text);
    return gid;
}

/// The device's entry for RoCE v2 over IPv4.
ibv_gid_entry ipv4_entry(const device& nic) {
    std::vector<ibv_gid_entry> entries(256);
    const ssize_t number = ibv_query_gid_table(nic.context.get(), entries.data(), entries.size(), 0);
    const ibv_gid prefix = mapped("0.0.0.0");
    for (ssize_t i = 0; i < number; ++i) {
        const ibv_gid_entry& each = entries[static_cast<std::size_t>(i)];
        const bool ipv4 = std::memcmp(each.gid.raw, prefix.raw, 12) == 0;
        if (ipv4 && each.gid_type == IBV_GID_TYPE_ROCE_V2) return each;
    }
    throw std::runtime_error("the device has no IPv4 address");
}

/// A datagram queue pair with a completion queue of its own.
struct datagrams {
    explicit datagrams(device& owner, std::uint32_t own_key = key)
        : nic(owner), channel(ibv_create_comp_channel(owner.context.get())),
          cq(ibv_create_cq(owner.context.get(), 64, nullptr, channel.get(), 0)), own_key_(own_key) {
        ibv_qp_init_attr initial{};
        initial.send_cq = initial.recv_cq = cq.get();
        initial.cap = {16, 16, 1, 1, 0};
        initial.qp_type = IBV_QPT_UD;
        pair.reset(ibv_create_qp(owner.domain.get(), &initial));
        if (!pair) throw std::system_error(errno, std::generic_category(), "ibv_create_qp(UD)");
    }

    int modify(ibv_qp_state state, int mask) const {
        ibv_qp_attr attributes{};
        attributes.qp_state = state;
        attributes.port_num = 1;
        attributes.qkey = own_key_;
        return ibv_modify_qp(pair.get(), &attributes, mask);
    }
    void bring_to(ibv_qp_state state) const {
        const std::pair<ibv_qp_state, int> steps[]{
            {IBV_QPS_INIT, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY},
            {IBV_QPS_RTR, IBV_QP_STATE},
            {IBV_QPS_RTS, IBV_QP_STATE | IBV_QP_SQ_PSN}};
        for (const auto& [next, mask] : steps) {
            const int error = modify(next, mask);
            if (error != 0) throw std::system_error(error, std::generic_category(), "ibv_modify_qp");
            if (next == state) return;
        }
    }
    ibv_qp_state state() const {
        ibv_qp_attr attributes{};
        ibv_qp_init_attr initial{};
        REQUIRE(ibv_query_qp(pair.get(), &attributes, IBV_QP_STATE, &initial) == 0);
        return attributes.qp_state;
    }
    void post_receives(const memory& buffers, std::uint64_t number) const {
        for (std::uint64_t id = 0; id < number; ++id) {
            ibv_sge entry = buffers.entry(id * slot_bytes, slot_bytes);
            ibv_recv_wr request{};
            request.wr_id = id;
            request.sg_list = &entry;
            request.num_sge = 1;
            ibv_recv_wr* bad = nullptr;
            REQUIRE(ibv_post_recv(pair.get(), &request, &bad) == 0);
        }
    }
    void send(ibv_sge entry, ibv_ah* to, std::uint32_t number, std::uint32_t their_key = key) const {
        ibv_send_wr request{};
        request.wr_id = 99;
        request.sg_list = &entry;
        request.num_sge = 1;
        request.opcode = IBV_WR_SEND;
        request.send_flags = IBV_SEND_SIGNALED;
        request.wr.ud.ah = to;
        request.wr.ud.remote_qpn = number;
        request.wr.ud.remote_qkey = their_key;
        ibv_send_wr* bad = nullptr;
        REQUIRE(ibv_post_send(pair.get(), &request, &bad) == 0);
    }
    std::vector<ibv_wc> completions(std::size_t wanted,
                                    std::chrono::milliseconds limit = std::chrono::seconds(5)) const {
        std::vector<ibv_wc> all;
        const auto until = std::chrono::steady_clock::now() + limit;
        while (all.size() < wanted && std::chrono::steady_clock::now() < until) {
            ibv_wc next{};
            const int polled = ibv_poll_cq(cq.get(), 1, &next);
            REQUIRE(polled >= 0);
            if (polled == 1) all.push_back(next);
        }
        return all;
    }
    bool readable(int milliseconds) const {
        pollfd watched{channel->fd, POLLIN, 0};
        return ::poll(&watched, 1, milliseconds) == 1;
    }

    device& nic;
    handle<ibv_comp_channel> channel;
    handle<ibv_cq> cq;
    handle<ibv_qp> pair;

private:
    std::uint32_t own_key_;
};

address_handle towards(device& nic, const ibv_gid& gid) {
    ibv_ah_attr attributes{};
    attributes.grh.dgid = gid;
    attributes.grh.sgid_index = static_cast<std::uint8_t>(ipv4_entry(nic).gid_index);
    attributes.grh.hop_limit = 1;
    attributes.is_global = 1;
    attributes.port_num = 1;
    address_handle made(ibv_create_ah(nic.domain.get(), &attributes));
    if (!made) throw std::system_error(errno, std::generic_category(), "ibv_create_ah");
    return made;
}

/// A sender and a receiver on one device, and the way from one to the other.
struct connection {
    connection()
        : sender(nic), receiver(nic), buffers(nic, 32 * slot_bytes), to_self(towards(nic, ipv4_entry(nic).gid)) {
        sender.bring_to(IBV_QPS_RTS);
        receiver.bring_to(IBV_QPS_RTR);
    }
    void send(std::uint8_t fill, std::uint32_t their_key = key) {
        std::fill_n(buffers.data.begin() + outgoing, payload_bytes, std::byte{fill});
        sender.send(buffers.entry(outgoing, payload_bytes), to_self.get(), receiver.pair->qp_num, their_key);
        const auto done = sender.completions(1);
        REQUIRE(done.size() == 1);
        CHECK(done[0].status == IBV_WC_SUCCESS);
    }
    bool nothing_arrives() const { return receiver.completions(1, std::chrono::milliseconds(100)).empty(); }

    static constexpr std::size_t outgoing = 16 * slot_bytes;
    static constexpr std::size_t payload_bytes = 100;

    device nic;
    datagrams sender;
    datagrams receiver;
    memory buffers;
    address_handle to_self;
};

/// The group joined on the device's interface, without which the kernel keeps its datagrams away.
class membership {
public:
    explicit membership(const device& nic) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        ip_mreqn wanted{};
        ::inet_pton(AF_INET, group, &wanted.imr_multiaddr);
        wanted.imr_ifindex = static_cast<int>(ipv4_entry(nic).ndev_ifindex);
        if (::setsockopt(socket_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wanted, sizeof wanted) != 0) {
            throw std::system_error(errno, std::generic_category(), "IP_ADD_MEMBERSHIP");
        }
    }
    ~membership() { ::close(socket_); }
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;

private:
    int socket_;
};

}  // namespace

TEST_CASE("a datagram queue pair takes its key, port and key index at INIT, and a packet number at RTS", "[ud]") {
    device nic;
    datagrams pair(nic);
    CHECK(pair.modify(IBV_QPS_INIT, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT) == EINVAL);
    CHECK(pair.modify(IBV_QPS_RTR, IBV_QP_STATE) == EINVAL);
    CHECK(pair.state() == IBV_QPS_RESET);
    pair.bring_to(IBV_QPS_RTR);
    CHECK(pair.state() == IBV_QPS_RTR);
    CHECK(pair.modify(IBV_QPS_RTS, IBV_QP_STATE) == EINVAL);
    CHECK(pair.modify(IBV_QPS_RTS, IBV_QP_STATE | IBV_QP_SQ_PSN) == 0);
    CHECK(pair.state() == IBV_QPS_RTS);
}

TEST_CASE("a datagram arrives behind its routing header, with its sender's number", "[ud]") {
    connection nic;
    nic.receiver.post_receives(nic.buffers, 1);
    nic.send(0x5a);
    const auto done = nic.receiver.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].status == IBV_WC_SUCCESS);
    CHECK(done[0].opcode == IBV_WC_RECV);
    CHECK(done[0].byte_len == routing_bytes + connection::payload_bytes);
    CHECK((done[0].wc_flags & IBV_WC_GRH) != 0);
    CHECK(done[0].src_qp == nic.sender.pair->qp_num);
    const auto payload = nic.buffers.data.begin() + routing_bytes;
    CHECK(std::count(payload, payload + connection::payload_bytes, std::byte{0x5a}) == connection::payload_bytes);
}

TEST_CASE("a datagram with another key is not delivered", "[ud]") {
    connection nic;
    nic.receiver.post_receives(nic.buffers, 2);
    nic.send(1, key + 1);
    CHECK(nic.nothing_arrives());
    nic.send(2);
    CHECK(nic.receiver.completions(1).size() == 1);
}

TEST_CASE("a datagram without a buffer is lost, and the next one with a buffer is not", "[ud]") {
    connection nic;
    nic.send(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // nothing announces what is not delivered
    nic.receiver.post_receives(nic.buffers, 1);
    CHECK(nic.nothing_arrives());
    nic.send(2);
    REQUIRE(nic.receiver.completions(1).size() == 1);
    CHECK(nic.buffers.data[routing_bytes] == std::byte{2});
}

TEST_CASE("datagrams are completed in the order of their buffers", "[ud]") {
    connection nic;
    nic.receiver.post_receives(nic.buffers, 8);
    for (std::uint8_t i = 0; i < 8; ++i) nic.send(i);
    const auto done = nic.receiver.completions(8);
    REQUIRE(done.size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(done[i].wr_id == i);
        CHECK(nic.buffers.data[i * slot_bytes + routing_bytes] == static_cast<std::byte>(i));
    }
}

TEST_CASE("in error, the receives of a datagram queue pair come back flushed, in order", "[ud]") {
    connection nic;
    nic.receiver.post_receives(nic.buffers, 4);
    REQUIRE(nic.receiver.modify(IBV_QPS_ERR, IBV_QP_STATE) == 0);
    const auto done = nic.receiver.completions(4);
    REQUIRE(done.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(done[i].wr_id == i);
        CHECK(done[i].status == IBV_WC_WR_FLUSH_ERR);
    }
}

TEST_CASE("a datagram raises one event when it was asked for, and destroying waits for the acknowledgement", "[ud]") {
    connection nic;
    nic.receiver.post_receives(nic.buffers, 2);
    REQUIRE(ibv_req_notify_cq(nic.receiver.cq.get(), 0) == 0);
    CHECK_FALSE(nic.receiver.readable(0));
    nic.send(1);
    CHECK(nic.receiver.readable(2000));
    ibv_cq* cq = nullptr;
    void* user = nullptr;
    REQUIRE(ibv_get_cq_event(nic.receiver.channel.get(), &cq, &user) == 0);
    CHECK(cq == nic.receiver.cq.get());
    nic.send(2);
    CHECK_FALSE(nic.receiver.readable(50));
    REQUIRE(nic.receiver.completions(2).size() == 2);
    nic.receiver.pair.reset();
    std::thread acknowledging([cq] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        ibv_ack_cq_events(cq, 1);
    });
    const auto start = std::chrono::steady_clock::now();
    nic.receiver.cq.reset();
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(40));
    acknowledging.join();
}

TEST_CASE("what a datagram queue pair uses is busy", "[ud]") {
    device nic;
    const datagrams pair(nic);
    CHECK(ibv_destroy_cq(pair.cq.get()) == EBUSY);
    CHECK(ibv_dealloc_pd(nic.domain.get()) == EBUSY);
}

TEST_CASE("each queue pair on a group gets one copy of what is sent to it, however often it was attached",
          "[ud][multicast]") {
    connection nic;
    const membership joined(nic.nic);
    datagrams other(nic.nic);
    other.bring_to(IBV_QPS_RTR);
    const memory other_buffers(nic.nic, 4 * slot_bytes);
    const ibv_gid gid = mapped(group);
    REQUIRE(ibv_attach_mcast(nic.receiver.pair.get(), &gid, 0) == 0);
    REQUIRE(ibv_attach_mcast(nic.receiver.pair.get(), &gid, 0) == 0);
    REQUIRE(ibv_attach_mcast(other.pair.get(), &gid, 0) == 0);
    nic.receiver.post_receives(nic.buffers, 4);
    other.post_receives(other_buffers, 4);
    const address_handle to_group = towards(nic.nic, gid);
    nic.sender.send(nic.buffers.entry(connection::outgoing, 100), to_group.get(), multicast_pair);
    CHECK(nic.receiver.completions(1).size() == 1);
    CHECK(other.completions(1).size() == 1);
    CHECK(nic.nothing_arrives());
    CHECK(ibv_detach_mcast(nic.receiver.pair.get(), &gid, 0) == 0);
    CHECK(ibv_detach_mcast(other.pair.get(), &gid, 0) == 0);
}

TEST_CASE("a queue pair that is detached gets nothing of the group, and cannot be detached again", "[ud][multicast]") {
    connection nic;
    const membership joined(nic.nic);
    const ibv_gid gid = mapped(group);
    REQUIRE(ibv_attach_mcast(nic.receiver.pair.get(), &gid, 0) == 0);
    REQUIRE(ibv_detach_mcast(nic.receiver.pair.get(), &gid, 0) == 0);
    CHECK(ibv_detach_mcast(nic.receiver.pair.get(), &gid, 0) == EINVAL);
    nic.receiver.post_receives(nic.buffers, 1);
    const address_handle to_group = towards(nic.nic, gid);
    nic.sender.send(nic.buffers.entry(connection::outgoing, 100), to_group.get(), multicast_pair);
    CHECK(nic.nothing_arrives());
}
