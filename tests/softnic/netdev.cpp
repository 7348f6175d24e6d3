// SPDX-License-Identifier: BSD-3-Clause
// A network interface as the cable, in a network namespace of the test's own.
#include "child.hpp"
#include "nic.hpp"
#include "support/network_namespace.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

using namespace nic_test;
using verbcast::test::ip;

namespace {

constexpr std::size_t slot_bytes = 4096;

/// veth0 and veth1, each with a device on it.
struct ends {
    ends() {
        verbcast::test::enter_network_namespace();
        verbcast::test::make_veth_pair();
        ::setenv("VERBCAST_SOFTNIC_DEVICES", "near=netdev:veth0;far=netdev:veth1", 1);
    }
};

/// A receiver on a device, with buffers and a rule.
struct receiver {
    receiver(const std::string& name, const std::string& group) : nic(name), both(nic), buffers(nic, 64 * slot_bytes) {
        both.bring_to(IBV_QPS_RTS);
        both.post_receives(buffers, 32, slot_bytes);
        flow = rule().ethernet(mac_of_group(group)).create(both);
        REQUIRE(flow);
    }
    bytes frame(const ibv_wc& done) const {
        const auto from = buffers.data.begin() + static_cast<std::ptrdiff_t>(done.wr_id * slot_bytes);
        return {from, from + done.byte_len};
    }
    void send(const bytes& frame) {
        std::copy(frame.begin(), frame.end(), buffers.data.begin() + 48 * slot_bytes);
        REQUIRE(both.post_send(0, {buffers.entry(48 * slot_bytes, frame.size())}, 0) == 0);
    }

    device nic;
    queue both;
    memory buffers;
    handle<ibv_flow> flow;
};

/// The kernel's UDP, out of one interface.
void send_udp(const std::string& interface, const std::string& group, const bytes& payload, int segment_bytes = 0) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(socket >= 0);
    ip_mreqn out{};
    out.imr_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    REQUIRE(::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) == 0);
    if (segment_bytes != 0) {
        REQUIRE(::setsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &segment_bytes, sizeof segment_bytes) == 0);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(5000);
    ::inet_pton(AF_INET, group.c_str(), &to.sin_addr);
    const ssize_t sent =
        ::sendto(socket, payload.data(), payload.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    ::close(socket);
    REQUIRE(sent == static_cast<ssize_t>(payload.size()));
}

bytes counting(std::size_t size) {
    bytes data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(i * 7 + i / 256);
    return data;
}

/// The plain sum over a UDP datagram in an untagged IPv4 frame: 0xffff when its checksum holds.
std::uint32_t datagram_sum(const bytes& frame) {
    std::uint32_t sum = IPPROTO_UDP + static_cast<std::uint32_t>(frame.size() - 34);
    for (std::size_t i = 26; i < frame.size(); ++i) {
        sum += std::to_integer<std::uint32_t>(frame[i]) << (i % 2 == 0 ? 8 : 0);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

}  // namespace

TEST_CASE("a checksum that the kernel left to the NIC is finished") {
    const ends cable;
    receiver nic("near", "239.1.2.3");
    const bytes payload = counting(501);
    send_udp("veth1", "239.1.2.3", payload);
    const auto done = nic.both.completions(1);
    REQUIRE(done.size() == 1);
    const bytes frame = nic.frame(done[0]);
    REQUIRE(frame.size() == 42 + payload.size());
    CHECK(std::equal(payload.begin(), payload.end(), frame.begin() + 42));
    CHECK(datagram_sum(frame) == 0xffff);
    CHECK((done[0].wc_flags & IBV_WC_IP_CSUM_OK) != 0);
}

TEST_CASE("a large send of the kernel arrives as the frames that go over the network") {
    const ends cable;
    receiver nic("near", "239.1.2.3");
    const bytes payload = counting(9500);
    send_udp("veth1", "239.1.2.3", payload, 1000);
    const auto done = nic.both.completions(10);
    REQUIRE(done.size() == 10);
    bytes joined;
    for (const ibv_wc& each : done) {
        const bytes frame = nic.frame(each);
        CHECK(frame.size() == 42U + (joined.size() < 9000 ? 1000 : 500));
        CHECK(std::to_integer<std::size_t>(frame[16]) * 256 + std::to_integer<std::size_t>(frame[17]) ==
              frame.size() - 14);
        CHECK(datagram_sum(frame) == 0xffff);
        CHECK((each.wc_flags & IBV_WC_IP_CSUM_OK) != 0);
        joined.insert(joined.end(), frame.begin() + 42, frame.end());
    }
    CHECK(joined == payload);
}

TEST_CASE("a VLAN tag that the kernel took out is put back") {
    const ends cable;
    receiver near("near", "239.1.2.3");
    receiver far("far", "239.9.9.9");
    const bytes frame = udp_frame({.vlan = 0x6005});
    far.send(frame);
    const auto done = near.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(near.frame(done[0]) == frame);
    CHECK((done[0].wc_flags & IBV_WC_IP_CSUM_OK) != 0);
}

TEST_CASE("a frame crosses the cable as it was sent, and does not come back") {
    const ends cable;
    receiver near("near", "239.1.2.3");
    receiver far("far", "239.1.2.3");
    const bytes frame = udp_frame({.payload = 1400});
    near.send(frame);
    const auto done = far.both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(far.frame(done[0]) == frame);
    CHECK(near.both.stays_empty());
}

TEST_CASE("a segmented send goes over the network as frames, and the kernel takes them for datagrams") {
    const ends cable;
    receiver near("near", "239.1.2.3");
    receiver far("far", "239.9.9.9");
    bytes header = udp_frame({.payload = 0});
    const bytes payload = counting(2500);
    std::copy(payload.begin(), payload.end(), far.buffers.data.begin() + 40 * slot_bytes);
    ibv_sge entry = far.buffers.entry(40 * slot_bytes, payload.size());
    ibv_send_wr request{};
    request.sg_list = &entry;
    request.num_sge = 1;
    request.opcode = IBV_WR_TSO;
    request.tso.hdr = header.data();
    request.tso.hdr_sz = static_cast<std::uint16_t>(header.size());
    request.tso.mss = 1000;
    ibv_send_wr* bad = nullptr;
    REQUIRE(ibv_post_send(far.both.pair.get(), &request, &bad) == 0);
    const auto done = near.both.completions(3);
    REQUIRE(done.size() == 3);
    bytes joined;
    for (const ibv_wc& each : done) {
        const bytes frame = near.frame(each);
        CHECK(datagram_sum(frame) == 0xffff);
        joined.insert(joined.end(), frame.begin() + 42, frame.end());
    }
    CHECK(joined == payload);
}

TEST_CASE("on lo each frame arrives once") {
    verbcast::test::enter_network_namespace();
    ::setenv("VERBCAST_SOFTNIC_DEVICES", "loop=netdev:lo", 1);
    receiver nic("loop", "239.1.2.3");
    // The kernel gives lo no multicast MAC; the rule of the test is by MAC, so send the frame itself.
    nic.send(udp_frame());
    REQUIRE(nic.both.completions(1).size() == 1);
    CHECK(nic.both.stays_empty());
}

TEST_CASE("the device of an interface has its addresses and its MTU") {
    const ends cable;
    const device nic("near");
    std::vector<ibv_gid_entry> entries(64);
    const ssize_t number = ibv_query_gid_table(nic.context.get(), entries.data(), entries.size(), 0);
    REQUIRE(number > 0);
    const auto is_own = [](const ibv_gid_entry& each) {
        return std::equal(each.gid.raw + 12, each.gid.raw + 16, "\x0a\x63\0\x01");
    };
    const auto own = std::find_if(entries.begin(), entries.begin() + number, is_own);
    REQUIRE(own != entries.begin() + number);
    CHECK(own->ndev_ifindex == ::if_nametoindex("veth0"));
    ibv_port_attr port{};
    REQUIRE(ibv_query_port(nic.context.get(), 1, &port) == 0);
    CHECK(port.active_mtu == IBV_MTU_1024);  // the largest below 1500
}

TEST_CASE("an interface that goes down is a port error, and one that comes up an active port") {
    const ends cable;
    receiver nic("near", "239.1.2.3");
    const auto next = [&] {
        pollfd watched{nic.nic.context->async_fd, POLLIN, 0};
        REQUIRE(::poll(&watched, 1, 5000) == 1);
        ibv_async_event event{};
        REQUIRE(ibv_get_async_event(nic.nic.context.get(), &event) == 0);
        ibv_ack_async_event(&event);
        CHECK(event.element.port_num == 1);
        return event.event_type;
    };
    ip("link set veth1 down");
    CHECK(next() == IBV_EVENT_PORT_ERR);
    ibv_port_attr port{};
    REQUIRE(ibv_query_port(nic.nic.context.get(), 1, &port) == 0);
    CHECK(port.state == IBV_PORT_DOWN);
    ip("link set veth1 up");
    CHECK(next() == IBV_EVENT_PORT_ACTIVE);
}

TEST_CASE("two network namespaces talk through it") {
    verbcast::test::enter_network_namespace();
    verbcast::test::make_veth_pair();
    child other({{"VERBCAST_SOFTNIC_DEVICES", "far=netdev:veth1"}}, [](const child::parent& parent) {
        if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare");
        parent.say("here");
        parent.hear();
        ip("link set veth1 up");
        device nic("far");
        queue receiving(nic);
        receiving.bring_to(IBV_QPS_RTR);
        memory buffers(nic, 32 * slot_bytes);
        receiving.post_receives(buffers, 32, slot_bytes);
        const auto flow = group_rule().create(receiving);
        parent.say("ready");
        const auto done = receiving.completions(10);
        const bool good = std::all_of(done.begin(), done.end(), [](const ibv_wc& each) {
            return each.status == IBV_WC_SUCCESS && (each.wc_flags & IBV_WC_IP_CSUM_OK) != 0;
        });
        parent.say(std::to_string(done.size()) + (good ? " good" : " bad"));
    });
    REQUIRE(other.hear() == "here");
    ip("link set veth1 netns " + std::to_string(other.id()));
    other.say("moved");
    REQUIRE(other.hear() == "ready");
    ip("link set veth0 up");
    ::setenv("VERBCAST_SOFTNIC_DEVICES", "near=netdev:veth0", 1);
    receiver nic("near", "239.9.9.9");
    for (int i = 0; i < 10; ++i) nic.send(udp_frame());
    CHECK(other.hear() == "10 good");
    CHECK(other.wait() == 0);
}
