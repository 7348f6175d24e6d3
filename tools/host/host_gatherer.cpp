// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/host_gatherer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <verbcast/topology.hpp>
#include <verbcast/verbs_devices.hpp>

#include "tools/host/cgroup.hpp"
#include "tools/host/network_interface.hpp"
#include "tools/host/querier.hpp"
#include "tools/host/verbs_json.hpp"

namespace verbcast::tools {
namespace {

namespace fs = std::filesystem;

reading failure(int error) {
    if (error == ENOENT || error == ENODEV || error == ENOTDIR) return {reading::outcome::absent, {}};
    return {reading::outcome::refused, std::strerror(error)};
}

/// Files of sysfs and proc: they say their size wrongly, and may fail at the read.
reading read_file(const std::string& path) {
    constexpr std::size_t bytes_max = 1 << 20;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return failure(errno);
    std::string text;
    std::array<char, 4096> part{};
    ssize_t bytes = 0;
    while (text.size() < bytes_max && (bytes = ::read(file, part.data(), part.size())) > 0)
        text.append(part.data(), static_cast<std::size_t>(bytes));
    const int error = bytes < 0 ? errno : 0;
    ::close(file);
    if (error != 0) return failure(error);
    return {reading::outcome::read, std::move(text)};
}

class gatherer {
public:
    explicit gatherer(const gather_wish& wish) : wish_(wish) {}

    host_snapshot take() {
        hwloc();
        interfaces();
        for (const char* each : {"/proc/self/status", "/proc/interrupts", "/sys/devices/system/cpu/online",
                                 "/sys/devices/system/cpu/isolated"})
            file(each);
        for (const topology::nic& each : host_.nics) nic(each.pci_address);
        for (const network_interface& each : interfaces_) nic(each.bus);
        if (!wish_.with_topology_only) the_rest();
        // Containers may have one of them missing, or empty: then that a file is not there says nothing.
        if (into_.absent("/proc/self/status")) into_.refuse_absent("/proc/", "there is no proc file system here");
        if (into_.absent("/sys/devices/system/cpu/online")) into_.refuse_absent("/sys/", "there is no sysfs here");
        return std::move(into_);
    }

private:
    void file(const std::string& path) { into_.put(path, read_file(path)); }

    std::vector<std::string> folder(const std::string& path) {
        std::error_code error;
        std::vector<std::string> names;
        fs::directory_iterator each(path, error);
        for (; !error && each != fs::directory_iterator(); each.increment(error))
            names.push_back(each->path().filename().string());
        std::sort(names.begin(), names.end());
        if (error) {
            into_.put(path, failure(error.value()));
            return {};
        }
        into_.put_text(path, fmt::format("{}", fmt::join(names, " ")));
        return names;
    }

    void hwloc() {
        try {
            const std::string xml = topology_xml_of_this_host();
            host_ = topology::from_xml(xml);
            into_.put_text(host_snapshot::hwloc_key, xml);
        } catch (const std::exception& error) {
            into_.put(host_snapshot::hwloc_key, {reading::outcome::refused, error.what()});
        }
    }

    void interfaces() {
        try {
            interfaces_ = read_interfaces();
            into_.put_text(host_snapshot::interfaces_key, to_json(interfaces_).dump());
        } catch (const std::exception& error) {
            into_.put(host_snapshot::interfaces_key, {reading::outcome::refused, error.what()});
        }
    }

    void nic(const std::string& pci_address) {
        const std::string path = "/sys/bus/pci/devices/" + pci_address;
        if (pci_address.empty() || !into_.names(path + "/msi_irqs/").empty()) return;
        for (const char* each : {"numa_node", "local_cpulist", "current_link_speed", "current_link_width",
                                 "max_link_speed", "max_link_width", "iommu_group/type"})
            file(path + "/" + each);
        for (const std::string& each : folder(path + "/msi_irqs/")) {
            file("/proc/irq/" + each + "/effective_affinity_list");
            file("/proc/irq/" + each + "/smp_affinity_list");
        }
    }

    void the_rest() {
        cpus();
        memory();
        network();
        limits();
        processes();
        firewall();
        devices();
        if (wish_.listen_time.count() > 0) queriers();
    }

    void cpus() {
        const std::string path = "/sys/devices/system/cpu/";
        for (const char* each : {"nohz_full", "smt/active", "cpufreq/policy0/scaling_driver", "cpuidle/current_driver"})
            file(path + each);
        for (const topology::cpu& each : host_.cpus) {
            const std::string cpu = fmt::format("{}cpu{}/", path, each.number);
            file(cpu + "cpufreq/scaling_governor");
            for (const std::string& state : folder(cpu + "cpuidle/"))
                for (const char* what : {"/name", "/latency", "/disable"})
                    file(fmt::format("{}cpuidle/{}{}", cpu, state, what));
        }
        file("/proc/sys/kernel/numa_balancing");
        command_line();
    }

    /// Parameters of the kernel can be anyone's business: only those are kept that are ours.
    void command_line() {
        static constexpr std::array<std::string_view, 17> ours{"isolcpus",
                                                               "nohz_full",
                                                               "rcu_nocbs",
                                                               "irqaffinity",
                                                               "intel_iommu",
                                                               "amd_iommu",
                                                               "iommu",
                                                               "iommu.passthrough",
                                                               "iommu.strict",
                                                               "intel_idle.max_cstate",
                                                               "processor.max_cstate",
                                                               "idle",
                                                               "hugepages",
                                                               "hugepagesz",
                                                               "default_hugepagesz",
                                                               "transparent_hugepage",
                                                               "numa_balancing"};
        const reading all = read_file("/proc/cmdline");
        if (all.what != reading::outcome::read) return into_.put(host_snapshot::command_line_key, all);
        std::string kept;
        for (const std::string& word : words_of(all.text))
            if (std::find(ours.begin(), ours.end(), std::string_view(word).substr(0, word.find('='))) != ours.end())
                kept += (kept.empty() ? "" : " ") + word;
        into_.put_text(host_snapshot::command_line_key, kept);
    }

    void memory() {
        for (const topology::memory_node& each : host_.nodes)
            for (const char* size : {"hugepages-2048kB", "hugepages-1048576kB"})
                for (const char* what : {"/nr_hugepages", "/free_hugepages"})
                    file(fmt::format("/sys/devices/system/node/node{}/hugepages/{}{}", each.number, size, what));
        for (const char* each : {"/sys/kernel/mm/transparent_hugepage/enabled", "/proc/swaps", "/proc/meminfo"})
            file(each);
        folder("/sys/class/iommu/");
    }

    void network() {
        for (const char* each : {"/proc/sys/net/core/rmem_max", "/proc/sys/net/ipv4/igmp_max_memberships",
                                 "/proc/sys/net/ipv4/igmp_max_msf", "/proc/net/route", "/proc/net/ipv6_route",
                                 "/proc/net/igmp", "/proc/net/ip_tables_names"})
            file(each);
        for (const char* each : {"rp_filter", "force_igmp_version"}) {
            file(fmt::format("/proc/sys/net/ipv4/conf/all/{}", each));
            for (const network_interface& interface : interfaces_)
                file(fmt::format("/proc/sys/net/ipv4/conf/{}/{}", interface.name, each));
        }
    }

    void limits() {
        for (const char* each :
             {"/proc/self/limits", "/proc/self/uid_map", "/proc/self/cgroup", "/proc/sys/kernel/osrelease"})
            file(each);
        for (const char* each : {"cpu", "memory"})
            for (const std::string& path : cgroup_files(into_, each)) file(path);
        container();
    }

    void container() {
        const reading systemd = read_file("/run/systemd/container");
        std::string kind;
        if (systemd.what == reading::outcome::read) kind = systemd.text;
        for (const auto& [sign, name] : {std::pair{"/.dockerenv", "docker"}, std::pair{"/run/.containerenv", "podman"}})
            if (kind.empty() && fs::exists(sign)) kind = name;
        const bool none = kind.empty();
        into_.put(host_snapshot::container_key, {none ? reading::outcome::absent : reading::outcome::read, kind});
    }

    void processes() {
        std::error_code error;
        fs::directory_iterator each("/proc", error);
        into_.put(host_snapshot::irqbalance_key, {reading::outcome::absent, {}});
        for (; !error && each != fs::directory_iterator(); each.increment(error)) {
            const std::string process = each->path().filename().string();
            if (process.find_first_not_of("0123456789") != std::string::npos) continue;
            if (words_of(read_file(each->path() / "comm").text) == std::vector<std::string>{"irqbalance"})
                into_.put_text(host_snapshot::irqbalance_key, process);
        }
        if (error) into_.put(host_snapshot::irqbalance_key, failure(error.value()));
    }

    void firewall() {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
            ::popen("PATH=$PATH:/usr/sbin:/sbin nft --json list ruleset 2>&1", "re"), &::pclose);
        if (!pipe) return into_.put(host_snapshot::firewall_key, failure(errno));
        std::string said;
        std::array<char, 4096> part{};
        while (const std::size_t bytes = std::fread(part.data(), 1, part.size(), pipe.get()))
            said.append(part.data(), bytes);
        const bool rules = said.starts_with('{');
        if (!rules) said = said.substr(0, said.find('\n'));
        if (said.find("not found") != std::string::npos) said = "nft(8) is not installed, so nobody could be asked";
        into_.put(host_snapshot::firewall_key, {rules ? reading::outcome::read : reading::outcome::refused, said});
    }

    void devices() {
        folder("/sys/class/infiniband/");
        into_.put_text(host_snapshot::devices_key, to_json(read_verbs_devices()).dump());
    }

    void queriers() {
        for (const auto& [interface, seen] : listen_for_queriers(wish_.interfaces, wish_.listen_time))
            into_.put(host_snapshot::querier_key(interface), seen);
    }

    const gather_wish& wish_;
    host_snapshot into_;
    topology host_;
    std::vector<network_interface> interfaces_;
};

}  // namespace

host_snapshot gather(const gather_wish& wish) { return gatherer(wish).take(); }

const char* const bundle_contents =
    "hwloc's XML (models of the hardware, the host's name); network interfaces with their hardware and IP addresses; "
    "routes; joined groups; firewall rules; interrupts; sysctls, limits and capabilities; power and memory settings; "
    "control groups; kernel parameters about cores, memory and the IOMMU; RDMA devices. No files of users, no keys, no "
    "environment, no other kernel parameters, no other processes.";

}  // namespace verbcast::tools
