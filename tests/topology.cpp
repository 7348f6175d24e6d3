// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/topology.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "support/host_builder.hpp"

using namespace verbcast;
using test::host_builder;

namespace {

topology read(const host_builder& host) { return topology::from_xml(host.xml()); }

std::set<std::size_t> cores_of(const topology& host) {
    std::set<std::size_t> cores;
    for (const topology::cpu& each : host.cpus) cores.insert(each.core);
    return cores;
}

void check_consistent(const topology& host) {
    CHECK_FALSE(host.cpus.empty());
    for (const topology::cpu& each : host.cpus) {
        CHECK(each.package < host.packages.size());
        CHECK(each.cache < host.caches.size());
        CHECK(host.find_cpu(each.number) == &each);
    }
    for (const topology::nic& each : host.nics) {
        CHECK_FALSE(each.cpus.empty());
        CHECK(each.node.has_value() == (each.where == topology::locality::node));
        for (const int cpu : each.cpus) CHECK(host.find_cpu(cpu) != nullptr);
    }
}

}  // namespace

TEST_CASE("a NIC is on the node whose package it is attached to", "[topology]") {
    const topology host = read(host_builder().package(2, 2).nic("eth0", "mlx5_0").package(2, 2).nic("eth1", "mlx5_1"));
    check_consistent(host);
    REQUIRE(host.nics.size() == 2);
    CHECK(host.find_nic("eth0")->node == 0);
    CHECK(host.find_nic("eth1")->node == 1);
    CHECK(host.find_nic("eth0")->cpus == std::vector{0, 1, 2, 3});
    CHECK(host.find_nic("mlx5_1") == host.find_nic("eth1"));
    CHECK(host.find_nic("eth1")->link_gigabytes_per_second == Approx(15.75));
    CHECK(host.find_nic("eth2") == nullptr);
}

TEST_CASE("threads of a core share it, and cores share a cache and a package", "[topology]") {
    const topology host = read(host_builder().package(2, 2).package(2, 2));
    check_consistent(host);
    CHECK(host.packages.size() == 2);
    CHECK(host.caches.size() == 2);
    CHECK(cores_of(host).size() == 4);
    CHECK(host.cpus[0].core == host.cpus[1].core);
    CHECK(host.cpus[1].core != host.cpus[2].core);
    CHECK(host.cpus[7].node == 1);
}

TEST_CASE("in a package of several nodes a NIC is on the one it is attached to", "[topology]") {
    const topology host = read(host_builder().package_of_nodes(4, 2).nic_at_node(2, "eth0", "mlx5_0"));
    check_consistent(host);
    CHECK(host.nodes.size() == 4);
    CHECK(host.packages.size() == 1);
    CHECK(host.find_nic("eth0")->node == 2);
    CHECK(host.find_nic("eth0")->cpus == std::vector{4, 5});
}

TEST_CASE("a NIC of a package of several nodes is on no single one of them", "[topology]") {
    const topology host = read(host_builder().package_of_nodes(2, 2).nic("eth0", "").package_of_nodes(2, 2));
    check_consistent(host);
    CHECK(host.find_nic("eth0")->where == topology::locality::unknown);
    CHECK(host.find_nic("eth0")->cpus == std::vector{0, 1, 2, 3});
}

TEST_CASE("a NIC that hwloc finds at the whole machine has no node, if there are several", "[topology]") {
    const topology several = read(host_builder().package(2, 1).package(2, 1).nic_at_machine("eth0"));
    check_consistent(several);
    CHECK(several.find_nic("eth0")->where == topology::locality::machine);
    CHECK(several.find_nic("eth0")->cpus == std::vector{0, 1, 2, 3});
    const topology one = read(host_builder().package(2, 1).nic_at_machine("eth0"));
    CHECK(one.find_nic("eth0")->where == topology::locality::node);
    CHECK(one.find_nic("eth0")->node == 0);
}

TEST_CASE("high-bandwidth memory beside plain memory does not make a NIC's node ambiguous", "[topology]") {
    const topology host = read(host_builder().package(2, 1).second_memory(4).nic("eth0", "").package(2, 1));
    check_consistent(host);
    CHECK(host.nodes.size() == 3);
    CHECK(host.find_nic("eth0")->node == 0);
    CHECK(host.find_cpu(0)->node == 0);
}

TEST_CASE("a node behind a memory-side cache is a node", "[topology]") {
    const topology host = read(host_builder().package(2, 1).memory_side_cache().nic("eth0", "").package(2, 1));
    check_consistent(host);
    CHECK(host.find_nic("eth0")->node == 0);
    CHECK(host.find_cpu(1)->node == 0);
}

TEST_CASE("memory without CPUs of its own takes nobody's node", "[topology]") {
    const topology host = read(host_builder().package(2, 1).nic("eth0", "").package(2, 1).memory_only_node(7));
    check_consistent(host);
    REQUIRE(host.nodes.size() == 3);
    CHECK(host.find_cpu(3)->node == 1);
    CHECK(host.find_nic("eth0")->node == 0);
}

TEST_CASE("CPUs that may not be used are there, and marked", "[topology]") {
    const topology host = read(host_builder().package(4, 1).allow({1, 3}));
    check_consistent(host);
    CHECK_FALSE(host.cpus[0].allowed);
    CHECK(host.cpus[1].allowed);
    CHECK_FALSE(host.cpus[2].allowed);
    CHECK(host.cpus[3].allowed);
}

TEST_CASE("an RDMA device without an interface is a NIC", "[topology]") {
    const topology host = read(host_builder().package(2, 1).nic("", "mlx5_0"));
    check_consistent(host);
    REQUIRE(host.nics.size() == 1);
    CHECK(host.find_nic("mlx5_0")->netdev.empty());
}

TEST_CASE("the types of devices are understood as hwloc 1, 2 and 3 write them", "[topology]") {
    for (const int version : {2, 3}) {
        const topology host = read(host_builder(version).package(1, 1).nic("eth0", "mlx5_0"));
        REQUIRE(host.nics.size() == 1);
        CHECK(host.nics.front().netdev == "eth0");
        CHECK(host.nics.front().device == "mlx5_0");
    }
    const topology old = topology::from_xml(test::hwloc_1_xml);
    check_consistent(old);
    REQUIRE(old.nics.size() == 1);
    CHECK(old.find_nic("eth0")->node == 1);
    CHECK(old.find_nic("eth0")->device == "mlx4_0");
}

TEST_CASE("a machine without PCI devices has no NICs", "[topology]") {
    CHECK(read(host_builder().package(1, 1)).nics.empty());
}

TEST_CASE("what is no topology is refused", "[topology]") {
    const std::string good = host_builder().package(2, 2).nic("eth0", "mlx5_0").xml();
    for (const std::string& text :
         {std::string(), std::string("no XML"), std::string("<topology>"),
          std::string("<topology version=\"3.0\"></topology>"), std::string(1, '\0'),
          std::string("<?xml version=\"1.0\"?><topology version=\"9.0\"><object type=\"Machine\"/></topology>"),
          good.substr(0, good.size() / 2)})
        CHECK_THROWS_AS(topology::from_xml(text), std::runtime_error);
}

TEST_CASE("this host can be read, and read again from its XML", "[topology]") {
    const topology here = topology::of_this_host();
    check_consistent(here);
    const topology copy = topology::from_xml(topology_xml_of_this_host());
    REQUIRE(copy.cpus.size() == here.cpus.size());
    CHECK(copy.nodes.size() == here.nodes.size());
    CHECK(copy.nics.size() == here.nics.size());
}
