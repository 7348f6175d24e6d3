// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/host_view.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "healthy_host.hpp"
#include "support/host_builder.hpp"
#include "temporary_folder.hpp"
#include "tools/host/machine_parts.hpp"
#include "tools/host/topology_drawing.hpp"
#include "tools/host/topology_json.hpp"
#include "tools/host/topology_text.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::host_builder;
using numbers = std::vector<int>;

namespace {

host_view view(const host_builder& host) {
    host_snapshot snapshot;
    snapshot.put_text(host_snapshot::hwloc_key, host.xml());
    return view_of(snapshot);
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Hosts of every kind, by what is odd about them.
std::vector<std::pair<std::string, host_builder>> hosts() {
    host_builder huge;
    for (int i = 0; i < 16; ++i) huge.package(64, 2).nic("eth" + std::to_string(i), "mlx5_" + std::to_string(i));
    return {
        {"one socket", host_builder().package(4, 1).nic("eth0", "mlx5_0")},
        {"two sockets with NICs on each",
         host_builder().package(8, 2).nic("eth0", "mlx5_0").package(8, 2).nic("eth1", "mlx5_1")},
        {"NPS4", host_builder()
                     .package_of_nodes(4, 8)
                     .nic_at_node(1, "eth0", "mlx5_0")
                     .package_of_nodes(4, 8)
                     .nic_at_node(3, "eth1", "mlx5_1")},
        {"a NIC of a whole package", host_builder().package_of_nodes(2, 4).nic("eth0", "").package_of_nodes(2, 4)},
        {"a NIC of the whole machine", host_builder().package(4, 1).package(4, 1).nic_at_machine("eth0")},
        {"high-bandwidth memory",
         host_builder().package(4, 2).second_memory(16).nic("eth0", "").package(4, 2).second_memory(16)},
        {"memory-side caches", host_builder().package(4, 2).memory_side_cache().nic("eth0", "")},
        {"memory far from CPUs", host_builder().package(2, 1).nic("eth0", "").memory_only_node(5)},
        {"a container with two CPUs", host_builder().package(8, 1).nic("eth0", "").package(8, 1).allow({3, 12})},
        {"a container without the NIC's CPUs", host_builder().package(8, 1).nic("eth0", "").package(8, 1).allow({12})},
        {"a VM with one CPU", host_builder().package(1, 1).nic_at_machine("eth0")},
        {"no NIC", host_builder().package(2, 2)},
        {"hwloc 3", host_builder(3).package(2, 2).nic("eth0", "mlx5_0").package(2, 2)},
        {"2048 CPUs", huge},
    };
}

}  // namespace

TEST_CASE("whatever the host, what is proposed is allowed and local where it can be", "[tools][topo]") {
    for (const auto& [name, host] : hosts()) {
        INFO(name);
        const host_view seen = view(host);
        const std::vector<placement_report> proposed = propose_threads(seen.layout, 2);
        REQUIRE(proposed.size() == seen.layout.nics.size());
        for (std::size_t i = 0; i < proposed.size(); ++i) {
            const topology::nic& nic = seen.layout.nics[i];
            const auto usable = [&](int each) { return seen.layout.find_cpu(each)->allowed; };
            const bool can_be_local = std::any_of(nic.cpus.begin(), nic.cpus.end(), usable);
            CHECK_FALSE(proposed[i].cores.empty());
            for (const int core : proposed[i].cores) {
                CHECK(usable(core));
                if (can_be_local) CHECK(std::find(nic.cpus.begin(), nic.cpus.end(), core) != nic.cpus.end());
            }
        }
        CHECK(topology_json(seen, proposed)["nics"].size() == seen.layout.nics.size());
        CHECK(mentions(topology_text(seen, proposed), "NUMA node"));
        const std::string drawn = topology_drawing(seen, proposed);
        CHECK(drawn.starts_with("<svg "));
        CHECK(drawn.ends_with("</svg>\n"));
        for (const topology::nic& each : seen.layout.nics)
            if (!each.netdev.empty()) CHECK(mentions(drawn, ">" + each.netdev + "</text>"));
    }
}

TEST_CASE("NICs do not share cores while there is a choice", "[tools][topo]") {
    const host_view seen = view(host_builder().package(6, 1).nic("eth0", "").nic("eth1", ""));
    const std::vector<placement_report> proposed = propose_threads(seen.layout, 2);
    CHECK(proposed[0].cores == numbers{1, 2});
    CHECK(proposed[1].cores == numbers{3, 4});
    CHECK(command_for(seen.layout.nics[1], proposed[1]) ==
          "verbcast recv GROUP --interface eth1 --threads 2 --placement 3,4");
}

TEST_CASE("NICs share cores rather than have core 0", "[tools][topo]") {
    const std::vector<placement_report> four =
        propose_threads(view(host_builder().package(4, 1).nic("eth0", "").nic("eth1", "")).layout, 2);
    CHECK(four[0].cores == numbers{1, 2});
    CHECK(four[1].cores == numbers{1, 2});
    const std::vector<placement_report> two =
        propose_threads(view(host_builder().package(2, 1).nic("eth0", "").nic("eth1", "")).layout, 2);
    CHECK(two[0].cores == numbers{1, 0});
}

TEST_CASE("topo shows what is known of a NIC", "[tools][topo]") {
    const host_view seen = view_of(test::healthy_host());
    const std::vector<placement_report> proposed = propose_threads(seen.layout, 2);
    const std::string text = topology_text(seen, proposed);
    CHECK(mentions(text, "NIC eth0  mlx5_0  Mellanox Technologies ConnectX-6 Dx  0000:81:00.0"));
    CHECK(mentions(text, "PCIe x16 at 16 GT/s, 31.5 GB/s, 100 Gb/s port (12.5 GB/s), MTU 9000, 2 interrupts on 6"));
    const json nic = topology_json(seen, proposed)["nics"][0];
    CHECK(nic["netdev"] == "eth0");
    CHECK(nic["device"] == "mlx5_0");
    CHECK(nic["numa_node"] == 0);
    CHECK(nic["locality"] == "node");
    CHECK(nic["proposed_cores"] == json(numbers{1, 2}));
    CHECK(nic["port_gbps"] == 100.0);
    CHECK(nic["interrupts"].size() == 2);
}

TEST_CASE("the CPUs of the recorded process are those that may be used", "[tools][topo]") {
    host_snapshot host = test::healthy_host();
    host.put_text("/proc/self/status", "Cpus_allowed_list:\t2-3,9\n");
    CHECK(propose_threads(view_of(host).layout, 4)[0].cores == numbers{2, 3});
}

TEST_CASE("a VLAN's or a bond's NIC is that below it", "[tools][topo]") {
    host_snapshot host = test::healthy_host();
    host.put_text(host_snapshot::interfaces_key,
                  R"([{"name": "bond0", "below": ["eth1", "eth0"]}, {"name": "odd", "below": ["odd"]}])");
    const host_view seen = view_of(host);
    REQUIRE(seen.find_nic("bond0") != nullptr);
    CHECK(seen.find_nic("bond0")->netdev == "eth1");
    CHECK(seen.find_nic("odd") == nullptr);
}

TEST_CASE("a bundle says all that the snapshot says", "[tools][doctor]") {
    host_snapshot host = test::healthy_host();
    host.put("/some/file", {reading::outcome::refused, "Permission denied"});
    const host_snapshot copy = host_snapshot::from_text(host.to_json().dump());
    CHECK(copy.to_json() == host.to_json());
    CHECK(copy.why_not("/some/file") == "Permission denied");
    CHECK(copy.absent(host_snapshot::irqbalance_key));
    CHECK(copy.number("/proc/sys/net/core/rmem_max") == 67108864);
}

TEST_CASE("what is no bundle is refused, and why is said", "[tools][doctor]") {
    for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
             {"", "empty"},
             {"hello", "neither"},
             {"{", "no JSON"},
             {"{}", "no bundle"},
             {R"({"format": "verbcast-host", "version": 2, "readings": {}})", "version"},
             {R"({"format": "verbcast-host", "version": 1, "readings": {"a": 3}})", "\"a\""},
             {R"({"format": "verbcast-host", "version": 1, "readings": {}})", "no topology"},
             {R"({"format": "verbcast-host", "version": 1, "readings": {"hwloc:xml": "<"}})", "hwloc"},
         })
        CHECK_THROWS_WITH(view_of(host_snapshot::from_text(text)), Catch::Contains(words));
}

TEST_CASE("a topology that is damaged anywhere is read or refused", "[tools][topo]") {
    const test::temporary_folder folder;
    const std::string file = (folder.path() / "host.xml").string();
    const std::string good = host_builder().package(2, 1).nic("eth0", "mlx5_0").xml();
    for (std::size_t at = 0; at < good.size(); at += 41) {
        std::string bad = good;
        bad[at] = bad[at] == '0' ? '7' : '0';
        std::ofstream(file) << bad;
        try {
            const host_view seen = view_of_file(file);
            CHECK_FALSE(topology_text(seen, propose_threads(seen.layout, 2)).empty());
        } catch (const std::runtime_error& error) {
            CHECK(mentions(error.what(), file));
        }
    }
}

TEST_CASE("lists of CPUs are read and written as the kernel does", "[tools][topo]") {
    CHECK(numbers_in("0-2,5,7-8\n") == numbers{0, 1, 2, 5, 7, 8});
    CHECK(numbers_in("").empty());
    CHECK(numbers_in("3-x").empty());
    CHECK(numbers_in("0-4294967295").empty());
    CHECK(list_of({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8");
    CHECK(list_of({}).empty());
}
