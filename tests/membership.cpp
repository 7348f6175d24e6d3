// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/membership.hpp"

#include "support/network_namespace.hpp"

#include "verbs/os_error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace verbcast::test;
using namespace verbcast::verbs;

namespace {

joined_group group(const std::string& address, const std::string& source = "") {
    joined_group result{ip_address::from_string(address).value(), {}};
    if (!source.empty()) result.source = ip_address::from_string(source).value();
    return result;
}

joining_interface on(const std::string& name) { return {name, interface_index(name)}; }

bool is_joined(const std::string& entry) {
    const std::vector<std::string> all = joined_groups();
    return std::find(all.begin(), all.end(), entry) != all.end();
}

std::string refusal(membership& members, const joined_group& wanted) {
    try {
        members.join(wanted);
    } catch (const std::system_error& error) {
        return error.what();
    }
    return "joined";
}

}  // namespace

TEST_CASE("groups are joined on the interface that is named, and left at the end", "[membership]") {
    enter_network_namespace();
    make_veth_pair();
    {
        membership members(on("veth0"));
        members.join(group("239.1.1.1"));
        members.join(group("ff05::7148"));
        CHECK(is_joined("veth0 239.1.1.1"));
        CHECK(is_joined("veth0 ff05::7148"));
        CHECK_FALSE(is_joined("veth1 239.1.1.1"));
    }
    CHECK_FALSE(is_joined("veth0 239.1.1.1"));
    CHECK_FALSE(is_joined("veth0 ff05::7148"));
}

TEST_CASE("without an interface a group is joined where the kernel routes it", "[membership]") {
    enter_network_namespace();
    make_veth_pair();
    ip("route add 239.1.1.0/24 dev veth1");
    membership members(joining_interface{});
    members.join(group("239.1.1.1"));
    CHECK(is_joined("veth1 239.1.1.1"));
    CHECK(refusal(members, group("239.7.7.7")) == "setsockopt(MCAST_JOIN_GROUP) for 239.7.7.7: No such device: no "
                                                  "route leads to the group: name an interface, of "
                                                  "which there are lo, veth1, veth0");
}

TEST_CASE("at most 20 groups are joined on a socket", "[membership]") {
    enter_network_namespace();
    membership members(on("lo"));
    for (int i = 1; i <= 20; ++i) members.join(group("239.1.1." + std::to_string(i)));
    CHECK(members.sockets() == 1);
    members.join(group("239.1.1.21"));
    CHECK(members.sockets() == 2);
    for (int i = 1; i <= 21; ++i) CHECK(is_joined("lo 239.1.1." + std::to_string(i)));
}

TEST_CASE("a thousand groups take fifty sockets", "[membership]") {
    enter_network_namespace();
    membership members(on("lo"));
    for (int i = 0; i < 1000; ++i)
        members.join(group("239.2." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
    CHECK(members.sockets() == 50);
    members.leave();
    CHECK(members.sockets() == 0);
    CHECK_FALSE(is_joined("lo 239.2.0.0"));
}

TEST_CASE("sources of a group share a socket, up to the kernel's limit", "[membership]") {
    enter_network_namespace();
    REQUIRE(set_sysctl("net/ipv4/igmp_max_msf", "10"));
    membership members(on("lo"));
    for (int i = 1; i <= 10; ++i) members.join(group("232.1.1.1", "10.0.0." + std::to_string(i)));
    CHECK(members.sockets() == 1);
    members.join(group("232.1.1.1", "10.0.0.11"));
    CHECK(members.sockets() == 2);
    members.join(group("232.1.1.1", "10.0.0.12"));
    CHECK(members.sockets() == 2);
}

TEST_CASE("when the kernel allows a socket fewer groups, the next socket is opened", "[membership]") {
    enter_network_namespace();
    REQUIRE(set_sysctl("net/ipv4/igmp_max_memberships", "5"));
    membership members(on("lo"));
    for (int i = 1; i <= 11; ++i) members.join(group("239.1.1." + std::to_string(i)));
    CHECK(members.sockets() == 3);
}

TEST_CASE("a group is joined once, however often it is asked for", "[membership]") {
    enter_network_namespace();
    membership members(on("lo"));
    members.join(group("239.1.1.1"));
    CHECK_NOTHROW(members.join(group("239.1.1.1")));
    CHECK(members.sockets() == 1);
}

TEST_CASE("a group may be joined for every source and, beside it, for one", "[membership]") {
    enter_network_namespace();
    membership members(on("lo"));
    members.join(group("239.1.1.1"));
    CHECK(refusal(members, group("239.1.1.1", "10.0.0.1")) == "joined");
}

TEST_CASE("a refused join says call, group, interface, reason and what to do", "[membership]") {
    enter_network_namespace();
    ip("link add veth0 type veth peer name veth1");
    membership members(on("veth0"));
    CHECK(refusal(members, group("10.0.0.1")) ==
          "setsockopt(MCAST_JOIN_GROUP) for 10.0.0.1 on veth0: Invalid argument");
    membership gone(joining_interface{"eth7", 77});
    CHECK(
        refusal(gone, group("239.1.1.1")) ==
        "setsockopt(MCAST_JOIN_GROUP) for 239.1.1.1 on eth7: No such device: the interface needs an address of this IP "
        "version; interfaces here are lo, veth1, veth0");
    CHECK(
        refusal(gone, group("232.1.1.1", "10.0.0.1")).find("MCAST_JOIN_SOURCE_GROUP) for 10.0.0.1@232.1.1.1 on eth7") !=
        std::string::npos);
}

TEST_CASE("an interface that does not exist is told, with those that do", "[membership]") {
    enter_network_namespace();
    CHECK_THROWS_WITH(interface_index("eth7"), "if_nametoindex(eth7): No such device: interfaces here are lo");
}
