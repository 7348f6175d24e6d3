// SPDX-License-Identifier: BSD-3-Clause
// What a control group or a container keeps from us.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "tools/host/checks.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

/// The control group of this process and those around it, innermost first.
std::vector<std::string> groups_of(const host_snapshot& raw) {
    std::string path = "/";
    for (const std::string& line : lines_of(raw.text("/proc/self/cgroup").value_or("")))
        if (line.starts_with("0::")) path = line.substr(3);
    std::vector<std::string> groups;
    for (std::filesystem::path each = path;; each = each.parent_path()) {
        groups.push_back("/sys/fs/cgroup" + (each == "/" ? std::string() : each.string()));
        if (!each.has_relative_path()) break;
    }
    return groups;
}

finding quota(const host_view& host) {
    finding about{.id = "cgroup.cpu_quota",
                  .measured = "none",
                  .wanted = "none",
                  .why = "a group that has used up its share of the CPU stands still until the next tenth of a second"};
    if (!host.raw.text("/proc/self/cgroup")) return not_known(about, host.raw.why_not("/proc/self/cgroup"));
    for (const std::string& group : groups_of(host.raw)) {
        const std::vector<std::string> words = words_of(host.raw.text(group + "/cpu.max").value_or("max"));
        if (words.empty() || words.front() == "max") continue;
        about.measured = fmt::format("{} of {} us in {}", words.front(), words.back(), group);
        about.fix = fmt::format("echo max >{}/cpu.max", group);
        about.persist =
            "CPUQuota= (empty) in the systemd unit; no --cpus for docker and podman; no CPU limit in Kubernetes";
        return bad(about, severity::warn);
    }
    return well(about);
}

finding cpu_set(const host_view& host, const reception_plan& plan) {
    finding about{.id = "cgroup.cpuset",
                  .measured = "cores beside each NIC may be used",
                  .wanted = "two cores or more beside each NIC that is received from",
                  .why = "threads that may not run beside their NIC fetch every packet across the machine",
                  .persist = "AllowedCPUs= and CPUAffinity= in the systemd unit; --cpuset-cpus for docker and podman"};
    for (const topology::nic& nic : host.layout.nics) {
        const bool meant =
            plan.interfaces.empty() || std::any_of(plan.interfaces.begin(), plan.interfaces.end(),
                                                   [&](const auto& each) { return host.find_nic(each) == &nic; });
        const auto allowed = std::count_if(nic.cpus.begin(), nic.cpus.end(), [&](int each) {
            const topology::cpu* const cpu = host.layout.find_cpu(each);
            return cpu != nullptr && cpu->allowed;
        });
        if (!meant || allowed >= std::min<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(nic.cpus.size()))) continue;
        about.measured =
            fmt::format("{} of the {} beside {} may be used", counted(static_cast<std::uint64_t>(allowed), "core"),
                        nic.cpus.size(), nic.netdev.empty() ? nic.device : nic.netdev);
        about.fix = fmt::format("taskset -c {} COMMAND; in a container: docker update --cpuset-cpus {} CONTAINER",
                                list_of(nic.cpus), list_of(nic.cpus));
        return bad(about, severity::warn);
    }
    return well(about);
}

finding memory_limit(const host_view& host, const reception_plan& plan) {
    constexpr std::uint64_t room = 1_GiB;  // for the heaps under way, and those that wait
    const std::uint64_t wanted = plan.region_bytes + plan.socket_bytes + room;
    finding about{.id = "cgroup.memory",
                  .measured = "no limit",
                  .wanted = human_bytes(wanted) + " or more",
                  .why = "a group at its limit is stopped to give memory back, or killed"};
    if (!host.raw.text("/proc/self/cgroup")) return not_known(about, host.raw.why_not("/proc/self/cgroup"));
    for (const std::string& group : groups_of(host.raw)) {
        const std::optional<std::int64_t> limit = host.raw.number(group + "/memory.max");
        if (!limit || static_cast<std::uint64_t>(*limit) >= wanted) continue;
        about.measured = fmt::format("{} in {}", human_bytes(static_cast<std::uint64_t>(*limit)), group);
        about.fix = fmt::format("echo {} >{}/memory.max", wanted, group);
        about.persist =
            fmt::format("MemoryMax={} in the systemd unit; --memory {} for docker and podman", wanted, wanted);
        return bad(about, severity::warn);
    }
    return well(about);
}

}  // namespace

void check_container(const host_view& host, const reception_plan& plan, findings& into) {
    into.push_back(quota(host));
    into.push_back(cpu_set(host, plan));
    into.push_back(memory_limit(host, plan));
}

}  // namespace verbcast::tools
