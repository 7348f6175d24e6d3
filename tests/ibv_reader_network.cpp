// SPDX-License-Identifier: BSD-3-Clause
// The reader of a NIC's queue between two hosts: the software NIC on a cable of the kernel.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <verbcast/readers.hpp>

#include "support/datagram_sender.hpp"
#include "support/network_namespace.hpp"
#include "support/nic_wire.hpp"
#include "support/other_host.hpp"
#include "support/stream_receiver.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

using receiver = stream_receiver<ibv_reader_config>;

/// This host has a NIC on the cable, at the other end of which is another host.
struct network {
    network() { ::setenv("VERBCAST_SOFTNIC_DEVICES", "nic0=netdev:veth0", 1); }

    void send(const sender_config& to, const bytes& payload) {
        there.run([&] { datagram_sender(to).send(payload); });
    }

    other_host there;
};

ibv_reader_config on_cable(const std::vector<std::string>& groups) {
    ibv_reader_config config{.interface = "veth0", .buffer_bytes = 1_MiB, .packet_bytes_max = 2000};
    for (const std::string& each : groups) config.groups.push_back(group::parse(each));
    return config;
}

bool joined(const std::string& group) {
    const std::vector<std::string> all = joined_groups();
    return std::find(all.begin(), all.end(), "veth0 " + group) != all.end();
}

}  // namespace

TEST_CASE("a group is joined while a reader on a NIC receives it, and left by stop()", "[ibv_reader]") {
    network net;
    receiver bench(on_cable({"239.1.1.1:7148", "[ff15::88]:7149"}));
    CHECK(joined("239.1.1.1"));
    CHECK(joined("ff15::88"));
    net.send({.address = "239.1.1.1", .interface = "veth1"}, heap_packet(1));
    net.send({.address = "ff15::88", .port = 7149, .interface = "veth1"}, heap_packet(2));
    REQUIRE(bench.receives(2));
    bench.stop_and_release();
    CHECK_FALSE(joined("239.1.1.1"));
    CHECK_FALSE(joined("ff15::88"));
}

TEST_CASE("a stop of the network leaves the groups before the stream is destroyed", "[ibv_reader]") {
    network net;
    receiver bench(on_cable({"239.1.1.1:7148"}));
    net.send({.address = "239.1.1.1", .interface = "veth1"}, stop_packet(1).encode());
    REQUIRE(bench.run_until([&] { return bench.receiving.wait_released(std::chrono::steady_clock::now()); }));
    CHECK(bench.receiving.reason().what == stop_reason::kind::stop_item);
    CHECK_FALSE(joined("239.1.1.1"));
}

TEST_CASE("of two hosts that send to a source-specific group one is received", "[ibv_reader]") {
    network net;
    net.there.run([] { ip("address add 10.99.0.3/24 dev veth1"); });
    receiver bench(on_cable({"10.99.0.3@232.1.1.1:7148"}));
    CHECK(joined("232.1.1.1"));
    net.send({.address = "232.1.1.1", .interface = "veth1", .source = "10.99.0.2"}, heap_packet(1));
    net.send({.address = "232.1.1.1", .interface = "veth1", .source = "10.99.0.3"}, heap_packet(2));
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == std::vector<std::uint64_t>{2});
}

TEST_CASE("two readers on a cable each get everything of one group", "[ibv_reader]") {
    network net;
    receiver one(on_cable({"239.1.1.1:7148"}));
    receiver two(on_cable({"239.1.1.1:7148"}));
    for (std::uint64_t cnt = 1; cnt <= 20; ++cnt)
        net.send({.address = "239.1.1.1", .interface = "veth1"}, heap_packet(cnt));
    CHECK(one.receives(20));
    CHECK(two.receives(20));
}

TEST_CASE("tagged frames arrive over the cable", "[ibv_reader]") {
    network net;
    ibv_reader_config config = on_cable({"239.1.1.1:7148"});
    config.vlan = 12;
    receiver bench(config);
    const auto tagged = [](std::uint16_t tag, std::uint64_t cnt) {
        return wire_frame{.destination = "239.1.1.1", .source = "10.99.0.2", .vlan = tag, .payload = heap_packet(cnt)}
            .encode();
    };
    net.there.run([&] {
        send_frame("veth1", tagged(13, 1));
        send_frame("veth1", tagged(12, 2));
    });
    REQUIRE(bench.receives(1));
    CHECK(bench.cnts == std::vector<std::uint64_t>{2});
}

TEST_CASE("what is sent to an address of the interface is received past the kernel", "[ibv_reader]") {
    network net;
    receiver bench(on_cable({"10.99.0.1:7148"}));
    net.send({.address = "10.99.0.1"}, heap_packet(1));
    REQUIRE(bench.receives(1));
}

TEST_CASE("21 groups are joined although a socket may have 20", "[ibv_reader]") {
    network net;
    std::vector<std::string> groups;
    for (int i = 1; i <= 21; ++i) groups.push_back("239.1.2." + std::to_string(i) + ":7148");
    receiver bench(on_cable(groups));
    CHECK(joined("239.1.2.1"));
    CHECK(joined("239.1.2.21"));
    net.send({.address = "239.1.2.21", .interface = "veth1"}, heap_packet(21));
    REQUIRE(bench.receives(1));
}
