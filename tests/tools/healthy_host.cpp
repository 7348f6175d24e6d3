// SPDX-License-Identifier: BSD-3-Clause
#include "healthy_host.hpp"

#include <fmt/format.h>

#include "support/host_builder.hpp"
#include "tools/host/network_interface.hpp"
#include "tools/host/verbs_json.hpp"

namespace verbcast::test {
namespace {

using tools::host_snapshot;
using tools::network_interface;
using tools::reading;

void put_nics(host_snapshot& into) {
    std::vector<network_interface> interfaces{
        {.name = "lo", .index = 1, .mtu = 65536, .up = true, .carrier = true, .loopback = true}};
    verbs_devices devices;
    for (int i = 0; i < 2; ++i) {
        const std::string name = fmt::format("eth{}", i), bus = fmt::format("0000:{:02x}:00.0", 0x81 + i);
        interfaces.push_back({.name = name,
                              .index = 2 + i,
                              .mtu = 9000,
                              .up = true,
                              .carrier = true,
                              .multicast = true,
                              .mac = fmt::format("b8:ce:f6:00:00:0{}", i),
                              .addresses = {fmt::format("10.1.{}.2", i)},
                              .driver = "mlx5_core",
                              .bus = bus,
                              .megabits = 100000,
                              .rings = network_interface::ring_sizes{8192, 8192},
                              .pause = network_interface::pause_frames{true, false}});
        const std::string path = "/sys/bus/pci/devices/" + bus;
        for (const char* each : {"/current_link_width", "/max_link_width"}) into.put_text(path + each, "16\n");
        for (const char* each : {"/current_link_speed", "/max_link_speed"})
            into.put_text(path + each, "16.0 GT/s PCIe\n");
        into.put_text(path + "/msi_irqs/", fmt::format("{} {}", 100 + i, 110 + i));
        into.put_text(path + "/iommu_group/type", "identity\n");
        for (const int irq : {100, 110})
            into.put_text(fmt::format("/proc/irq/{}/effective_affinity_list", irq + i), i == 0 ? "6\n" : "14\n");
        for (const char* each : {"rp_filter", "force_igmp_version"})
            into.put_text(fmt::format("/proc/sys/net/ipv4/conf/{}/{}", name, each), "0\n");
        into.put_text(host_snapshot::querier_key(name), "10.1.0.1");
        devices.devices.push_back({.name = fmt::format("mlx5_{}", i),
                                   .interface = name,
                                   .receives_max = 32768,
                                   .completions_max = 4194303,
                                   .region_bytes_max = std::uint64_t{1} << 48,
                                   .timestamps = true,
                                   .counts_flows = true});
    }
    into.put_text(host_snapshot::interfaces_key, tools::to_json(interfaces).dump());
    into.put_text(host_snapshot::devices_key, tools::to_json(devices).dump());
    into.put_text("/sys/class/infiniband/", "mlx5_0 mlx5_1");
}

void put_process(host_snapshot& into) {
    into.put_text("/proc/self/status",
                  "CapPrm:\t0000000000002000\nCapEff:\t0000000000002000\nCapAmb:\t0000000000002000\n"
                  "Cpus_allowed_list:\t0-15\n");
    into.put_text("/proc/self/limits", "Max open files            1024                 524288               files\n"
                                       "Max locked memory         unlimited            unlimited            bytes\n");
    into.put_text("/proc/self/uid_map", "         0          0 4294967295\n");
    into.put_text("/proc/self/cgroup", "0::/system.slice/receiver.service\n");
    for (const char* each : {"/system.slice/receiver.service", "/system.slice", ""})
        for (const char* limit : {"cpu.max", "memory.max"})
            into.put_text(fmt::format("/sys/fs/cgroup{}/{}", each, limit),
                          std::string(limit) == "cpu.max" ? "max 100000\n" : "max\n");
}

void put_kernel(host_snapshot& into) {
    into.put_text("/proc/sys/net/core/rmem_max", "67108864\n");
    into.put_text("/proc/sys/net/ipv4/igmp_max_memberships", "20\n");
    into.put_text("/proc/sys/net/ipv4/igmp_max_msf", "10\n");
    for (const char* each : {"rp_filter", "force_igmp_version"})
        into.put_text(fmt::format("/proc/sys/net/ipv4/conf/all/{}", each), "0\n");
    into.put_text("/proc/net/route",
                  "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                  "eth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    into.put_text("/proc/net/ipv6_route", "");
    into.put_text(host_snapshot::firewall_key, R"({"nftables": [{"metainfo": {"json_schema_version": 1}}]})");
    into.put(host_snapshot::irqbalance_key, {reading::outcome::absent, {}});
    into.put_text("/sys/devices/system/cpu/isolated", "1-15\n");
    for (int cpu = 0; cpu < 16; ++cpu) {
        const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/", cpu);
        into.put_text(path + "cpufreq/scaling_governor", "performance\n");
        into.put_text(path + "cpuidle/", "state0 state1 state2");
        for (int state = 0; state < 3; ++state) {
            into.put_text(fmt::format("{}cpuidle/state{}/latency", path, state), std::to_string(state * 60));
            into.put_text(fmt::format("{}cpuidle/state{}/name", path, state), fmt::format("C{}", state));
            into.put_text(fmt::format("{}cpuidle/state{}/disable", path, state), state == 0 ? "0" : "1");
        }
    }
    into.put_text("/proc/sys/kernel/numa_balancing", "0\n");
}

void put_memory(host_snapshot& into) {
    for (const int node : {0, 1})
        for (const char* each : {"nr_hugepages", "free_hugepages"})
            into.put_text(fmt::format("/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/{}", node, each),
                          "64\n");
    into.put_text("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    into.put_text("/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    into.put_text("/sys/class/iommu/", "");
}

}  // namespace

host_snapshot healthy_host() {
    host_snapshot made;
    made.put_text(host_snapshot::hwloc_key,
                  host_builder().package(8, 1).nic("eth0", "mlx5_0").package(8, 1).nic("eth1", "mlx5_1").xml());
    put_nics(made);
    put_process(made);
    put_kernel(made);
    put_memory(made);
    return made;
}

tools::reception_plan plan_of_two_groups() {
    return {.interfaces = {"eth0"}, .groups = {group::parse("239.2.1.150:7148"), group::parse("239.2.1.151:7148")}};
}

}  // namespace verbcast::test
