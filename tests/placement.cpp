// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/placement.hpp>

#include <algorithm>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <sched.h>

#include <verbcast/error.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "src/binding.hpp"
#include "src/heap_memory.hpp"
#include "support/host_builder.hpp"

using namespace verbcast;
using test::host_builder;
using numbers = std::vector<int>;

namespace {

topology read(const host_builder& host) { return topology::from_xml(host.xml()); }

numbers cores_beside(const char* interface, const topology& host, std::size_t threads, const numbers& taken = {}) {
    return place(placement::beside(interface), host, threads, taken).cores;
}

numbers affinity_of_this_thread() {
    cpu_set_t set;
    CPU_ZERO(&set);
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    numbers cpus;
    for (int each = 0; each < CPU_SETSIZE; ++each)
        if (CPU_ISSET(each, &set)) cpus.push_back(each);
    return cpus;
}

numbers affinity_in(const thread_pool& pool) {
    std::promise<numbers> answer;
    boost::asio::post(pool.context(), [&] { answer.set_value(affinity_of_this_thread()); });
    return answer.get_future().get();
}

}  // namespace

TEST_CASE("threads go to the node of the NIC, and so does memory", "[placement]") {
    const topology host = read(host_builder().package(4, 2).nic("eth0", "mlx5_0").package(4, 2).nic("eth1", "mlx5_1"));
    const placement_report report = place(placement::beside("eth1"), host, 2);
    CHECK(report.cores == numbers{8, 10});
    CHECK(report.memory_node == 1);
    CHECK(report.locality == topology::locality::node);
    CHECK(report.text == "cores 8,10: eth1 is on NUMA node 1");
    CHECK(cores_beside("mlx5_1", host, 1) == numbers{8});
}

TEST_CASE("core 0 and second threads of a core are avoided while there is a choice", "[placement]") {
    const topology host = read(host_builder().package(3, 2).nic("eth0", ""));
    CHECK(cores_beside("eth0", host, 2) == numbers{2, 4});
    CHECK(cores_beside("eth0", host, 3) == numbers{2, 4, 0});
    CHECK(cores_beside("eth0", host, 6) == numbers{2, 4, 0, 3, 5, 1});
    CHECK(cores_beside("eth0", host, 9).size() == 6);
}

TEST_CASE("what others have taken is avoided while there is a choice", "[placement]") {
    const topology host = read(host_builder().package(4, 1).nic("eth0", ""));
    CHECK(cores_beside("eth0", host, 2, {1}) == numbers{2, 3});
    CHECK(cores_beside("eth0", host, 3, {1, 2}) == numbers{3, 0, 1});
}

TEST_CASE("only what the process may use is taken", "[placement]") {
    const topology host = read(host_builder().package(4, 1).nic("eth0", "").package(4, 1).allow({0, 3, 5}));
    CHECK(cores_beside("eth0", host, 4) == numbers{3, 0});
    const placement_report elsewhere = place(
        placement::beside("eth0"), read(host_builder().package(2, 1).nic("eth0", "").package(2, 1).allow({2, 3})), 1);
    CHECK(elsewhere.cores == numbers{2});
    CHECK(elsewhere.text == "core 2: eth0 is on NUMA node 0, none of whose cores may be used here");
}

TEST_CASE("without a node of the NIC's any core will do and memory is not bound", "[placement]") {
    const topology host = read(host_builder().package(2, 1).package(2, 1).nic_at_machine("eth0"));
    const placement_report report = place(placement::beside("eth0"), host, 1);
    CHECK(report.cores == numbers{1});
    CHECK_FALSE(report.memory_node);
    CHECK(report.locality == topology::locality::machine);
    CHECK(report.text == "core 1: the firmware does not say on which NUMA node eth0 is");
    CHECK(place(placement::beside("veth0"), host, 1).text == "core 1: veth0 is no NIC whose place is known");
}

TEST_CASE("isolated cores come first, and count as allowed unless others are missing too", "[placement]") {
    topology born = read(host_builder().package(6, 1).nic("eth0", ""));
    born.restrict_to({0, 1, 2, 3}, {4, 5});
    CHECK(cores_beside("eth0", born, 3) == numbers{4, 5, 1});
    topology confined = read(host_builder().package(6, 1).nic("eth0", ""));
    confined.restrict_to({1, 2}, {4, 5});
    CHECK(cores_beside("eth0", confined, 3) == numbers{1, 2});
    topology meant = read(host_builder().package(6, 1).nic("eth0", ""));
    meant.restrict_to({2, 4}, {4, 5});
    CHECK(cores_beside("eth0", meant, 3) == numbers{4, 2});
}

TEST_CASE("fast cores come before slow ones", "[placement]") {
    topology host = read(host_builder().package(4, 1).nic("eth0", ""));
    for (topology::cpu& each : host.cpus) each.speed = each.number < 2 ? 0 : 1;
    CHECK(cores_beside("eth0", host, 3) == numbers{2, 3, 1});
}

TEST_CASE("threads go to the cores that are named, and memory beside these or the NIC", "[placement]") {
    const topology host = read(host_builder().package(2, 1).nic("eth0", "").package(2, 1));
    placement wish = placement::on({3, 2});
    CHECK(place(wish, host, 2).cores == numbers{3, 2});
    CHECK(place(wish, host, 1).cores == numbers{3});
    CHECK(place(wish, host, 2).memory_node == 1);
    CHECK_FALSE(place(placement::on({0, 2}), host, 2).memory_node);
    wish.interface = "eth0";
    CHECK(place(wish, host, 1).memory_node == 0);
    CHECK(place(wish, host, 1).text == "core 3: as asked; eth0 is on NUMA node 0; core 3 is not near it");
}

TEST_CASE("cores that may not be used are a configuration error that says which may", "[placement]") {
    const topology host = read(host_builder().package(4, 1).allow({0, 3}));
    CHECK_THROWS_WITH(place(placement::on({2}), host, 1),
                      "cores = 2: must be among those that this process may use: 0,3");
    CHECK_THROWS_AS(placement::on({}).validate(), config_error);
    CHECK_THROWS_AS(placement::on({-1}).validate(), config_error);
    CHECK_THROWS_AS(placement::beside("").validate(), config_error);
    CHECK_THROWS_AS(placement::beside("../eth0").validate(), config_error);
}

TEST_CASE("without a wish nothing is placed", "[placement]") {
    const placement_report report = place_here({}, 4);
    CHECK(report.cores.empty());
    CHECK_FALSE(report.memory_node);
}

TEST_CASE("a pool's threads run on the cores it reports", "[placement]") {
    const int core = affinity_of_this_thread().back();
    const thread_pool pool({.place = placement::on({core})});
    CHECK(pool.placed().cores == numbers{core});
    CHECK(affinity_in(pool) == numbers{core});
    const thread_pool beside({.place = placement::beside("lo")});
    REQUIRE(beside.placed().cores.size() == 1);
    CHECK(affinity_in(beside) == beside.placed().cores);
    const thread_pool free;
    CHECK(affinity_in(free) == affinity_of_this_thread());
}

TEST_CASE("a stream's memory is where its pool is, unless it says otherwise", "[placement]") {
    const int core = affinity_of_this_thread().front();
    const topology host = topology::of_this_host();
    const topology::cpu* const cpu = host.find_cpu(core);
    REQUIRE(cpu != nullptr);
    const std::optional<int> node = can_bind_memory(cpu->node.value()) ? cpu->node : std::nullopt;
    const thread_pool pool({.place = placement::on({core})});
    const ring_stream as_the_pool(pool);
    CHECK(as_the_pool.placed().memory_node == node);
    const ring_stream elsewhere(pool, {.stream = {.place = placement{}}});
    CHECK_FALSE(elsewhere.placed().memory_node);
    const ring_stream unplaced(thread_pool{});
    CHECK_FALSE(unplaced.placed().memory_node);
}

namespace {

/// What /proc/self/numa_maps says of the pages at an address: "prefer:0 anon=2 dirty=2 N0=2 ...".
std::string policy_of(const void* pages) {
    std::ifstream maps("/proc/self/numa_maps");
    std::string line;
    char address[32];
    std::snprintf(address, sizeof address, "%lx", reinterpret_cast<unsigned long>(pages));
    while (std::getline(maps, line))
        if (line.rfind(address, 0) == 0) return line.substr(line.find(' ') + 1);
    return {};
}

}  // namespace

TEST_CASE("a reader's buffers lie where it says", "[placement]") {
    const int node = topology::of_this_host().nodes.front().number;
    if (!can_bind_memory(node)) return;
    const bound_pages pages(1 << 20, node), free(1 << 20, std::nullopt);
    std::fill_n(pages.data(), 1 << 20, std::byte{1});
    std::fill_n(free.data(), 1 << 20, std::byte{1});
    CHECK(policy_of(pages.data()).find(" N" + std::to_string(node) + "=256") != std::string::npos);
    CHECK(policy_of(pages.data()).rfind("prefer", 0) == 0);
    udp_reader_config config{.groups = {{"127.0.0.1", 7148}}};
    config.place = placement::on({});
    CHECK_THROWS_AS(config.validate(), config_error);
    config.place = placement::beside("lo");
    ring_stream stream(thread_pool{});
    config.groups.front().port = 41748;
    CHECK(stream.add_reader(config));
}

TEST_CASE("payloads of a placed stream lie on its node", "[placement]") {
    const int node = topology::of_this_host().nodes.front().number;
    if (!can_bind_memory(node)) return;
    heap_memory memory(std::uint64_t{1} << 30, node);
    constexpr std::size_t bytes = std::size_t{4} << 20;
    void* const block = memory.allocate(bytes, payload_alignment);
    std::fill_n(static_cast<char*>(block), bytes, 'x');
    CHECK(policy_of(block).find(" N" + std::to_string(node) + "=1024") != std::string::npos);
    CHECK(policy_of(block).rfind("default", 0) == std::string::npos);
    memory.deallocate(block, bytes, payload_alignment);
    CHECK(memory.allocate(bytes, payload_alignment) == block);  // kept
    memory.deallocate(block, bytes, payload_alignment);
    void* const small = memory.allocate(100, payload_alignment);
    memory.deallocate(small, 100, payload_alignment);
}
