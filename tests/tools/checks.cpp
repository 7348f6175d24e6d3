// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/checks.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "healthy_host.hpp"
#include "support/host_builder.hpp"
#include "tools/host/network_interface.hpp"
#include "tools/host/verbs_json.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::healthy_host;
using test::plan_of_two_groups;

namespace {

findings diagnosis(const host_snapshot& host, const reception_plan& plan = plan_of_two_groups()) {
    return diagnose(view_of(host), plan);
}

/// The worst of an id's findings.
const finding& worst(const findings& all, const std::string& id) {
    const finding* found = nullptr;
    for (const finding& each : all)
        if (each.id == id && (found == nullptr || each.how > found->how)) found = &each;
    if (found == nullptr) FAIL("there is no finding " << id);
    return *found;
}

const std::string sys_net = "/proc/sys/net/";
const std::string pci = "/sys/bus/pci/devices/0000:81:00.0/";

/// A host on which one reading differs.
std::function<void(host_snapshot&, reception_plan&)> says(const std::string& key, const std::string& text) {
    return [=](host_snapshot& host, reception_plan&) { host.put_text(key, text); };
}

std::function<void(host_snapshot&, reception_plan&)>
has_interface(const std::function<void(network_interface&)>& change) {
    return [=](host_snapshot& host, reception_plan&) {
        std::vector<network_interface> all =
            interfaces_from_json(json::parse(*host.text(host_snapshot::interfaces_key)));
        change(all.at(1));
        host.put_text(host_snapshot::interfaces_key, to_json(all).dump());
    };
}

std::function<void(host_snapshot&, reception_plan&)> has_device(const std::function<void(verbs_device&)>& change) {
    return [=](host_snapshot& host, reception_plan&) {
        verbs_devices all = verbs_devices_from_json(json::parse(*host.text(host_snapshot::devices_key)));
        change(all.devices.at(0));
        host.put_text(host_snapshot::devices_key, to_json(all).dump());
    };
}

std::function<void(host_snapshot&, reception_plan&)> plans(const std::vector<std::string>& groups) {
    return [=](host_snapshot&, reception_plan& plan) {
        plan.groups.clear();
        for (const std::string& each : groups) plan.groups.push_back(group::parse(each));
    };
}

std::vector<std::string> many_groups(int count, const char* format) {
    std::vector<std::string> groups;
    for (int i = 1; i <= count; ++i) groups.push_back(fmt::format(fmt::runtime(format), i));
    return groups;
}

std::string ruleset(const std::string& policy, const std::string& rules, const std::string& more = "") {
    return R"({"nftables": [{"chain": {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input",
               "prio": 0, "policy": ")" +
           policy + R"("}})" + rules + more + "]}";
}

std::string rule(const std::string& expressions, const std::string& chain = "input") {
    return R"(, {"rule": {"family": "inet", "table": "filter", "chain": ")" + chain + R"(", "expr": [)" + expressions +
           "]}}";
}

const std::string to_our_groups =
    R"({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": {"prefix": {"addr": "239.2.0.0", "len": 16}}}})";
const std::string follows = rule(
    R"({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null})");
const std::string untracked =
    R"(, {"chain": {"family": "inet", "table": "filter", "name": "raw", "type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"}})" +
    rule(to_our_groups + R"(, {"notrack": null})", "raw");

struct ailment {
    std::string id;
    severity how;
    std::function<void(host_snapshot&, reception_plan&)> fall_ill;
    std::string fix;  ///< a part of it; empty: there is none
};

std::vector<ailment> ailments_of_devices() {
    using enum severity;
    return {
        {"verbs.device", warn, says(host_snapshot::devices_key, R"({"devices": []})"), "modprobe mlx5_ib"},
        {"verbs.device", fail, has_device([](auto& each) { each.trouble = "permission denied"; }), "chmod 666"},
        {"verbs.device", warn, has_device([](auto& each) { each.interface = ""; }), "rdma link"},
        {"verbs.provider", fail, says("/sys/class/infiniband/", "mlx5_0 mlx5_1 bnxt_re0"), "ibverbs-providers"},
        {"verbs.raw_queue_pair", fail, has_device([](auto& each) { each.queue_pair_refused = "EPERM"; }),
         "verbcast run-raw"},
        {"verbs.flow_steering", fail, has_device([](auto& each) { each.flow_rule_refused = "EOPNOTSUPP"; }),
         "mlx4_core"},
        {"verbs.queue_size", warn, has_device([](auto& each) { each.receives_max = 1024; }), "ask for a buffer"},
        {"verbs.region_size", warn, has_device([](auto& each) { each.region_bytes_max = 1 << 20; }),
         "ask for a buffer"},
        {"verbs.timestamps", warn, has_device([](auto& each) { each.timestamps = false; }), "--reader udp"},
        {"verbs.counters", warn, has_device([](auto& each) { each.counts_flows = false; }), "counts flows"},
        {"verbs.fork", warn,
         [](host_snapshot& host, reception_plan&) {
             json all = json::parse(*host.text(host_snapshot::devices_key));
             all["fork_is_safe"] = false;
             host.put_text(host_snapshot::devices_key, all.dump());
         },
         "IBV_FORK_SAFE"},
        {"verbs.cap_net_raw", fail, says("/proc/self/status", "CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"),
         "run-raw"},
        {"verbs.cap_net_raw", warn, says("/proc/self/uid_map", "0 1000 1\n"), "user namespace"},
        {"verbs.locked_memory", fail,
         says("/proc/self/limits", "Max locked memory         8388608              8388608              bytes\n"),
         "ulimit -l 65536"},
    };
}

std::vector<ailment> ailments_of_links() {
    using enum severity;
    return {
        {"net.rmem_max", warn, says(sys_net + "core/rmem_max", "212992\n"), "sysctl -w net.core.rmem_max=33554432"},
        {"net.interface", fail, has_interface([](auto& each) { each.up = false; }), "ip link set eth0 up"},
        {"net.interface", fail, has_interface([](auto& each) { each.carrier = false; }), "ethtool eth0"},
        {"net.interface", fail, has_interface([](auto& each) { each.multicast = false; }),
         "ip link set eth0 multicast on"},
        {"net.interface", fail, [](auto&, reception_plan& plan) { plan.interfaces.emplace_back("eth7"); },
         "ip -brief link"},
        {"net.mtu", warn, has_interface([](auto& each) { each.mtu = 1500; }), "ip link set eth0 mtu 9000"},
        {"net.mtu", warn, [](auto&, reception_plan& plan) { plan.packet_bytes = 9100; }, "ip link set eth0 mtu 9148"},
        {"net.rings", warn, has_interface([](auto& each) { each.rings->receive = 1024; }), "ethtool -G eth0 rx 8192"},
        {"net.pause", warn, has_interface([](auto& each) { each.pause->send = true; }), "ethtool -A eth0"},
    };
}

std::vector<ailment> ailments_of_multicast() {
    using enum severity;
    return {
        {"net.igmp_max_memberships", warn, says(sys_net + "ipv4/igmp_max_memberships", "1\n"),
         "igmp_max_memberships=20"},
        {"net.igmp_max_memberships", warn, plans(many_groups(25, "239.2.1.{}:7148")), "igmp_max_memberships=25"},
        {"net.igmp_max_msf", warn, says(sys_net + "ipv4/igmp_max_msf", "5\n"), "igmp_max_msf=10"},
        {"net.igmp_max_msf", warn, plans(many_groups(12, "10.0.0.{}@232.2.1.1:7148")), "igmp_max_msf=12"},
        {"net.rp_filter", warn, says(sys_net + "ipv4/conf/all/rp_filter", "1\n"), "net.ipv4.conf.eth0.rp_filter=2"},
        {"net.rp_filter", warn, says(sys_net + "ipv4/conf/eth0/rp_filter", "1\n"), "net.ipv4.conf.eth0.rp_filter=2"},
        {"net.igmp_version", warn, says(sys_net + "ipv4/conf/eth0/force_igmp_version", "2\n"),
         "conf.eth0.force_igmp_version=0"},
        {"net.igmp_version", fail, says(sys_net + "ipv4/conf/all/force_igmp_version", "1\n"),
         "conf.all.force_igmp_version=0"},
        {"net.querier", warn,
         [](host_snapshot& host, reception_plan&) {
             host.put(host_snapshot::querier_key("eth0"), {reading::outcome::absent, {}});
         },
         "mcast_querier"},
    };
}

std::vector<ailment> ailments_of_groups() {
    using enum severity;
    return {
        {"net.reserved_range", fail, plans({"224.0.0.5:7148"}), "use 239.192.1.5 in the place of 224.0.0.5"},
        {"net.reserved_range", fail, plans({"232.1.1.1:7148"}), "use 239.192.1.1"},
        {"net.reserved_range", warn, plans({"239.128.0.9:7148"}), "use 239.192.1.9"},
        {"net.reserved_range", warn, plans({"[ff02::5]:7148"}), "use ff15::"},
        {"net.shared_mac", warn, plans({"239.2.1.150:1", "239.130.1.150:1"}),
         "use 239.192.1.150 in the place of 239.130.1.150"},
        {"net.shared_mac", warn, plans({"[ff15::1:2]:1", "[ff15:3::1:2]:1"}), "use ff15:3::1:3"},
        {"net.route", warn, says("/proc/net/route", "eth1\t000000EF\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"),
         "ip route replace 239.2.1.150/32 dev eth0"},
        {"net.route", fail,
         [](host_snapshot& host, reception_plan& plan) {
             plan.interfaces.clear();
             host.put_text("/proc/net/route", "Iface\tDestination\n");
         },
         "ip route replace 239.2.1.150/32 dev eth0"},
    };
}

std::vector<ailment> ailments_of_firewalls() {
    using enum severity;
    return {
        {"net.firewall", fail, says(host_snapshot::firewall_key, ruleset("drop", "")),
         "nft 'insert rule inet filter input ip daddr 239.2.1.150 udp dport 7148 accept"},
        {"net.firewall", fail,
         says(host_snapshot::firewall_key, ruleset("accept", rule(to_our_groups + R"(, {"drop": null})"))), "nft"},
        {"net.firewall", warn,
         says(host_snapshot::firewall_key,
              ruleset(
                  "drop",
                  rule(R"({"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 1}}, {"accept": null})"))),
         "nft"},
        {"net.conntrack", warn, says(host_snapshot::firewall_key, ruleset("accept", follows)), "notrack"},
    };
}

std::vector<ailment> ailments_of_cores() {
    using enum severity;
    return {
        {"nic.locality", warn,
         [](host_snapshot& host, reception_plan&) {
             host.put_text(host_snapshot::hwloc_key,
                           test::host_builder().package(8, 1).package(8, 1).nic_at_machine("eth0").xml());
         },
         "/sys/bus/pci/devices/0000:81:00.0/numa_node"},
        {"nic.pcie", fail, says(pci + "current_link_width", "4\n"), "lspci -vv -s 0000:81:00.0"},
        {"irq.placement", warn, says("/proc/irq/100/effective_affinity_list", "1\n"),
         "for irq in 100; do echo 0,3-7 >/proc/irq/$irq/smp_affinity_list; done"},
        {"irq.placement", warn, says("/proc/irq/110/effective_affinity_list", "9\n"), "for irq in 110;"},
        {"irq.balance", warn, says(host_snapshot::irqbalance_key, "812"), "systemctl stop irqbalance"},
        {"cpu.governor", warn, says("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil\n"),
         "scaling_governor"},
        {"cpu.idle_states", warn, says("/sys/devices/system/cpu/cpu2/cpuidle/state2/disable", "0\n"), "cpuidle"},
        {"cpu.isolated", warn, says("/sys/devices/system/cpu/isolated", "\n"), "isolcpus"},
    };
}

std::vector<ailment> ailments_of_memory() {
    using enum severity;
    return {
        {"mem.huge_pages", warn,
         says("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "30\n"),
         "echo 66 >/sys/devices/system/node/node0"},
        {"mem.transparent_huge_pages", warn,
         says("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"), "echo madvise"},
        {"host.iommu", warn, says(pci + "iommu_group/type", "DMA-FQ\n"), "iommu=pt"},
        {"mem.swap", warn, says("/proc/swaps", "Filename Type\n/dev/sda2 partition\n"), "swapoff -a"},
        {"mem.numa_balancing", warn, says("/proc/sys/kernel/numa_balancing", "1\n"),
         "sysctl -w kernel.numa_balancing=0"},
        {"cgroup.cpu_quota", warn, says("/sys/fs/cgroup/system.slice/cpu.max", "50000 100000\n"),
         "echo max >/sys/fs/cgroup/system.slice/cpu.max"},
        {"cgroup.cpuset", warn, says("/proc/self/status", "CapEff:\t0000000000002000\nCpus_allowed_list:\t8-15\n"),
         "taskset -c 0-7"},
        {"cgroup.memory", warn, says("/sys/fs/cgroup/system.slice/receiver.service/memory.max", "268435456\n"),
         "memory.max"},
    };
}

/// Each id once or more: what makes it appear. It is gone without that, on the healthy host.
std::vector<ailment> ailments() {
    std::vector<ailment> all;
    for (const auto& part : {ailments_of_devices(), ailments_of_links(), ailments_of_multicast(), ailments_of_groups(),
                             ailments_of_firewalls(), ailments_of_cores(), ailments_of_memory()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace

TEST_CASE("a host on which nothing is wrong has no findings but good ones", "[tools][doctor]") {
    for (const reception_plan& plan : {plan_of_two_groups(), reception_plan{}}) {
        const findings all = diagnosis(healthy_host(), plan);
        for (const finding& each : all) {
            INFO(each.id << ": " << each.measured);
            CHECK(each.how == severity::ok);
            CHECK(each.fix.empty());
            CHECK(each.persist.empty());
            CHECK_FALSE(each.measured.empty());
        }
        CHECK(exit_code_of(all) == 0);
    }
}

TEST_CASE("each finding appears with what is wrong, and goes with it", "[tools][doctor]") {
    const findings healthy = diagnosis(healthy_host());
    for (const ailment& each : ailments()) {
        host_snapshot host = healthy_host();
        reception_plan plan = plan_of_two_groups();
        each.fall_ill(host, plan);
        const findings all = diagnosis(host, plan);
        const finding& found = worst(all, each.id);
        INFO(each.id << ": " << found.measured << "; fix: " << found.fix);
        CHECK(severity_name(found.how) == severity_name(each.how));
        CHECK_FALSE(found.measured.empty());
        CHECK_FALSE(found.wanted.empty());
        CHECK_FALSE(found.why.empty());
        CHECK_FALSE(found.fix.empty());
        CHECK(found.fix.find(each.fix) != std::string::npos);
        CHECK(exit_code_of(all) == (each.how == severity::fail ? 3 : exit_code_of(all) == 3 ? 3 : 1));
        CHECK(worst(healthy, each.id).how == severity::ok);
    }
}

TEST_CASE("every finding has something that makes it appear", "[tools][doctor]") {
    std::set<std::string> made, known;
    for (const ailment& each : ailments()) made.insert(each.id);
    for (const finding& each : diagnosis(healthy_host())) known.insert(each.id);
    CHECK(made == known);
}

TEST_CASE("what was not read is unknown and never well", "[tools][doctor]") {
    host_snapshot host;
    host.put_text(host_snapshot::hwloc_key, *healthy_host().text(host_snapshot::hwloc_key));
    for (const finding& each : diagnosis(host)) {
        INFO(each.id);
        const bool from_topology = each.id == "nic.locality" || each.id == "cgroup.cpuset";
        const bool from_plan = each.id == "net.reserved_range" || each.id == "net.shared_mac";
        if (!from_topology && !from_plan) CHECK(each.how == severity::unknown);
    }
}

TEST_CASE("without proc or sysfs what is not there says nothing", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    for (const char* each : {"/proc/swaps", "/sys/kernel/mm/transparent_hugepage/enabled"})
        host.put(each, {reading::outcome::absent, {}});
    CHECK(worst(diagnosis(host), "mem.swap").how == severity::ok);
    host.refuse_absent("/proc/", "there is no proc file system here");
    CHECK(worst(diagnosis(host), "mem.swap").how == severity::unknown);
    CHECK(worst(diagnosis(host), "mem.swap").measured == "there is no proc file system here");
    CHECK(worst(diagnosis(host), "mem.transparent_huge_pages").how == severity::ok);
}

TEST_CASE("what the kernel refused to say is unknown, with the reason", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    host.put("/proc/sys/net/core/rmem_max", {reading::outcome::refused, "Permission denied"});
    const findings all = diagnosis(host);
    CHECK(worst(all, "net.rmem_max").how == severity::unknown);
    CHECK(worst(all, "net.rmem_max").measured == "Permission denied");
    CHECK(exit_code_of(all) == 0);
}

TEST_CASE("rules that let our groups in make a firewall's finding go", "[tools][doctor]") {
    for (
        const std::string& rules :
        {rule(to_our_groups + R"(, {"accept": null})"),
         rule(
             R"({"match": {"op": "==", "left": {"meta": {"key": "pkttype"}}, "right": "multicast"}}, {"accept": null})"),
         rule(
             R"({"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": {"range": [7000, 7200]}}}, {"accept": null})"),
         rule(
             R"({"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": {"set": [53, 7148]}}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null})"),
         rule(R"({"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "wan*"}}, {"accept": null})"),
         rule(R"({"jump": {"target": "ours"}})") +
             R"(, {"chain": {"family": "inet", "table": "filter", "name": "ours"}})" +
             rule(to_our_groups + R"(, {"accept": null})", "ours")}) {
        host_snapshot host = healthy_host();
        host.put_text(host_snapshot::firewall_key, ruleset("drop", rules));
        INFO(rules);
        CHECK(worst(diagnosis(host), "net.firewall").how == severity::ok);
    }
    host_snapshot host = healthy_host();
    host.put_text(host_snapshot::firewall_key, ruleset("accept", follows, untracked));
    CHECK(worst(diagnosis(host), "net.conntrack").how == severity::ok);
}

TEST_CASE("rules for others leave a firewall's finding", "[tools][doctor]") {
    for (
        const std::string& rules :
        {follows,
         rule(R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null})"),
         rule(
             R"({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null})"),
         rule(
             R"({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "239.2.1.150"}}, {"accept": null})")}) {
        host_snapshot host = healthy_host();
        host.put_text(host_snapshot::firewall_key, ruleset("drop", rules));
        INFO(rules);
        CHECK(worst(diagnosis(host), "net.firewall").how == severity::fail);
    }
    for (const char* damaged : {"{}", "{\"nftables\": 3}", "[", "{\"nftables\": [{\"chain\": 3}, {\"rule\": {}}]}"}) {
        host_snapshot host = healthy_host();
        host.put_text(host_snapshot::firewall_key, damaged);
        CHECK(worst(diagnosis(host), "net.firewall").how != severity::fail);
    }
}

TEST_CASE("tables of iptables-legacy hide what the firewall does", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    host.put_text("/proc/net/ip_tables_names", "filter\n");
    CHECK(worst(diagnosis(host), "net.firewall").how == severity::unknown);
}

TEST_CASE("control groups of version 1 limit as those of version 2 do", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    host.put_text("/proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/\n");
    for (const char* each : {"/sys/fs/cgroup/cpu,cpuacct/job/", "/sys/fs/cgroup/cpu,cpuacct/"})
        host.put_text(std::string(each) + "cpu.cfs_quota_us", "-1\n");
    host.put_text("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(worst(diagnosis(host), "cgroup.memory").how == severity::unknown);  // of the group around it
    host.put("/sys/fs/cgroup/memory/memory.limit_in_bytes", {reading::outcome::absent, {}});
    CHECK(worst(diagnosis(host), "cgroup.memory").how == severity::ok);
    CHECK(worst(diagnosis(host), "cgroup.cpu_quota").how == severity::ok);
    host.put_text("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
    CHECK(worst(diagnosis(host), "cgroup.cpu_quota").fix == "echo -1 >/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us");
}

TEST_CASE("isolating the cores that were proposed makes the finding go", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    host.put_text("/sys/devices/system/cpu/isolated", "\n");
    CHECK(worst(diagnosis(host), "cpu.isolated").persist.find("isolcpus=managed_irq,domain,1-2 ") != std::string::npos);
    host.put_text("/sys/devices/system/cpu/isolated", "1-2\n");
    host.put_text("/proc/self/status", "CapEff:\t0000000000002000\nCpus_allowed_list:\t0,3-15\n");
    CHECK(worst(diagnosis(host), "cpu.isolated").how == severity::ok);
}

TEST_CASE("a source-specific group of 232.0.0.0/8 is where it belongs", "[tools][doctor]") {
    host_snapshot host = healthy_host();
    reception_plan plan = plan_of_two_groups();
    plans({"10.0.0.7@232.1.1.1:7148"})(host, plan);
    CHECK(worst(diagnosis(host, plan), "net.reserved_range").how == severity::ok);
}
