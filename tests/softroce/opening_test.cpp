// SPDX-License-Identifier: BSD-3-Clause
// What a reader needs of the machine to be opened, and what it says when that is not there.
#include <catch2/catch.hpp>

#include "softroce/bench.hpp"
#include "softroce/ordinary_user.hpp"
#include "softroce/roce_socket.hpp"
#include "support/network_namespace.hpp"

using namespace verbcast;
using namespace verbcast::test;
using Catch::Contains;

TEST_CASE("a device that has datagram queue pairs only says so when raw is asked for", "[softroce]") {
    ibv_reader_config config = on_rxe();
    config.transport = transport::raw;
    const std::string said = receiver::refusal(config);
    CHECK_THAT(said, Contains("ibv_create_qp(RAW_PACKET) on rxe1"));
    CHECK_THAT(said, Contains("the device has no raw queue pairs"));
    CHECK_THAT(said, Contains("transport ud"));
}

TEST_CASE("packets larger than the active MTU are refused with both figures", "[softroce]") {
    ibv_reader_config config = on_rxe();
    config.packet_bytes_max = 4097;
    CHECK_THAT(receiver::refusal(config),
               Contains("config_error: packet_bytes_max = 4097: rxe1 port 1 carries 4096 bytes") &&
                   Contains("raise the MTU of veth1"));
    config.packet_bytes_max = 4096;
    CHECK(receiver::refusal(config) == "opened");
}

TEST_CASE("a smaller MTU of the interface is the one that counts", "[softroce]") {
    ip("link set veth1 mtu 1500");
    ibv_reader_config config = on_rxe();
    config.packet_bytes_max = 1025;
    const std::string said = receiver::refusal(config);
    config.packet_bytes_max = 1024;
    const std::string enough = receiver::refusal(config);
    ip("link set veth1 mtu 4200");
    CHECK_THAT(said, Contains("rxe1 port 1 carries 1024 bytes"));
    CHECK(enough == "opened");
}

TEST_CASE("a reader is found by its interface, an address of it, and its device", "[softroce]") {
    for (const char* name : {"veth1", "10.99.0.1", "fd99::1", "rxe1"}) {
        ibv_reader_config config = on_rxe();
        config.interface = name;
        CHECK(receiver::refusal(config) == "opened");
    }
    ibv_reader_config config = on_rxe();
    config.interface = "lo";
    CHECK_THAT(receiver::refusal(config), Contains("RDMA devices here are rxe1 with veth1"));
}

TEST_CASE("too little locked memory is told with the figure that is needed", "[softroce]") {
    const std::string said = as_ordinary_user(1 << 20, [] { return receiver::refusal(on_rxe()); });
    // 4 MiB hold 1008 slots of 4160 bytes.
    CHECK_THAT(said, Contains("ibv_reg_mr(4193280 bytes) on rxe1"));
    CHECK_THAT(said, Contains("may lock 1024 KiB"));
    CHECK_THAT(said, Contains("ulimit -l 4095"));
}

TEST_CASE("raw queue pairs without CAP_NET_RAW are refused with its name", "[softroce]") {
    ibv_reader_config config = on_rxe();
    config.transport = transport::raw;
    const std::string said = as_ordinary_user(64 << 20, [&] { return receiver::refusal(config); });
    CHECK_THAT(said, Contains("CAP_NET_RAW"));
}

TEST_CASE("an ordinary user receives datagrams without any capability", "[softroce]") {
    roce_socket sender(first_group);
    const std::string said = as_ordinary_user(8 << 20, [&] {
        receiver bench(on_rxe());
        sender.send(heap_packet(1));
        return std::string(bench.receives(1) ? "received" : "nothing came");
    });
    CHECK(said == "received");
}
