// SPDX-License-Identifier: BSD-3-Clause
#include "tools/packet_sender.hpp"

#include <catch2/catch.hpp>

#include <system_error>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/packet_builder.hpp"
#include "tools/command.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::bytes;

namespace {

/// A bound UDP socket on 127.0.0.1, which may join a group on lo.
class listener {
public:
    explicit listener(const char* group = nullptr) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const int buffer_bytes = 8 << 20;
        const timeval patience{.tv_sec = 5, .tv_usec = 0};
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = ::inet_addr(group ? group : "127.0.0.1");
        socklen_t length = sizeof where;
        bool ready = socket_ >= 0 &&
                     ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes) == 0 &&
                     ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                     ::bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0 &&
                     ::getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &length) == 0;
        if (ready && group) {
            ip_mreqn membership{};
            membership.imr_multiaddr = where.sin_addr;
            membership.imr_address.s_addr = ::inet_addr("127.0.0.1");
            ready = ::setsockopt(socket_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) == 0;
        }
        if (!ready) throw std::system_error(errno, std::system_category(), "listener");
        port_ = ntohs(where.sin_port);
        address_ = group ? group : "127.0.0.1";
    }
    ~listener() { ::close(socket_); }
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    verbcast::group where() const { return {.address = address_, .port = port_}; }
    /// Empty when none came for 5 s.
    bytes receive(std::string* from = nullptr) const {
        bytes datagram(65536);
        sockaddr_in sender{};
        socklen_t length = sizeof sender;
        const ssize_t count =
            ::recvfrom(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&sender), &length);
        datagram.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        if (from) *from = ::inet_ntoa(sender.sin_addr);
        return datagram;
    }

private:
    int socket_;
    std::string address_;
    std::uint16_t port_ = 0;
};

outgoing_packet packet_of(std::uint64_t seed, const bytes& payload) {
    return {.header = test::pattern(48, seed), .payload = payload};
}

}  // namespace

TEST_CASE("what is sent arrives as it is, datagram by datagram, with and without segmentation by the kernel") {
    for (const bool gso : {true, false}) {
        CAPTURE(gso);
        listener receiver;
        packet_sender sender({.groups = {receiver.where()}, .gso = gso});
        // Runs of one length, a shorter packet in between, a longer one behind it, and lone ones.
        std::vector<bytes> payloads;
        for (const std::size_t size : {1424, 1424, 1424, 100, 1424, 8000, 8000, 8, 8, 1, 1424}) {
            for (int i = 0; i < 30; ++i) payloads.push_back(test::pattern(size, payloads.size()));
        }
        for (std::size_t i = 0; i < payloads.size(); ++i) sender.add(0, packet_of(i, payloads[i]));
        sender.flush();
        for (std::size_t i = 0; i < payloads.size(); ++i)
            REQUIRE(receiver.receive() == test::join({test::pattern(48, i), payloads[i]}));
        CHECK(sender.packets_added() == payloads.size());
        CHECK(sender.gso() == gso);
    }
}

TEST_CASE("multicast goes out where it is told to") {
    listener receiver("239.255.71.48");
    packet_sender sender({.groups = {receiver.where()}, .interface = "lo", .source = "127.0.0.1"});
    const bytes payload = test::pattern(1000);
    sender.add(0, packet_of(1, payload));
    sender.flush();
    std::string from;
    CHECK(receiver.receive(&from).size() == 1048);
    CHECK(from == "127.0.0.1");
}

TEST_CASE("a group's source is the address that is sent from") {
    listener receiver;
    group to = receiver.where();
    to.source = "127.0.0.2";
    packet_sender sender({.groups = {to}});
    const bytes payload = test::pattern(10);
    sender.add(0, packet_of(1, payload));
    sender.flush();
    std::string from;
    receiver.receive(&from);
    CHECK(from == "127.0.0.2");
}

TEST_CASE("packets for several groups go each to its own") {
    listener one;
    listener two;
    packet_sender sender({.groups = {one.where(), two.where()}});
    const bytes payload = test::pattern(10);
    for (std::uint64_t i = 0; i < 10; ++i) sender.add(i % 2, packet_of(i, payload));
    sender.flush();
    for (std::uint64_t i = 0; i < 10; ++i) {
        listener& receiver = i % 2 == 0 ? one : two;
        CHECK(receiver.receive() == test::join({test::pattern(48, i), payload}));
    }
}

TEST_CASE("a port where nobody listens is counted, and does not end the sending") {
    group nobody;
    { nobody = listener().where(); }
    packet_sender sender({.groups = {nobody}});
    const bytes payload = test::pattern(10);
    for (int i = 0; i < 10; ++i) {
        sender.add(0, packet_of(1, payload));
        sender.flush();
    }
    CHECK(sender.packets_added() == 10);
    CHECK(sender.refused() > 0);
}

TEST_CASE("an address that is none, or not of this host, is refused in words") {
    CHECK_THROWS_AS(packet_sender({.groups = {{.address = "127.0.0.1", .port = 1}}, .source = "::1"}), usage_error);
    CHECK_THROWS_WITH(packet_sender({.groups = {{.address = "127.0.0.1", .port = 1}}, .source = "203.0.113.1"}),
                      Catch::Contains("203.0.113.1") && Catch::Contains("address of this host"));
}

TEST_CASE("a packet that no datagram can hold is an error that says what to do") {
    listener receiver;
    packet_sender sender({.groups = {receiver.where()}});
    const bytes payload = test::zeros(70'000);
    sender.add(0, packet_of(1, payload));
    CHECK_THROWS_WITH(sender.flush(), Catch::Contains("lower --packet"));
}

TEST_CASE("the largest packet that goes in one piece is the interface's MTU less the headers") {
    listener receiver;
    const packet_sender sender({.groups = {receiver.where()}});
    CHECK(sender.unfragmented_bytes_max(0) == 65535 - 28);  // lo's 65536 is more than IPv4 has
}
