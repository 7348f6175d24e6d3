// SPDX-License-Identifier: BSD-3-Clause
// What a control group or a container keeps from us.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tools/host/cgroup.hpp"
#include "tools/host/checks.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

/// A limit of the control group of this process, or of one around it.
struct limit {
    std::string file;
    std::string text;
};

/// Those that are set, innermost first; none when one could not be read.
std::optional<std::vector<limit>> limits_of(const host_snapshot& raw, const std::string& name, std::string& why_not) {
    std::vector<limit> found;
    const std::vector<std::string> files = cgroup_files(raw, name);
    if (files.empty()) why_not = raw.why_not("/proc/self/cgroup");
    for (const std::string& file : files) {
        const std::optional<std::string> text = raw.text(file);
        if (text && *text != "max" && !text->starts_with("max ") && *text != "-1") found.push_back({file, *text});
        if (text || raw.absent(file)) continue;  // the outermost has none
        why_not = raw.why_not(file);
        return std::nullopt;
    }
    if (files.empty()) return std::nullopt;
    return found;
}

finding quota(const host_view& host) {
    finding about{
        .id = "cgroup.cpu_quota",
        .measured = "none",
        .wanted = "none",
        .why = "a group that has used up its share of the CPU stands still until the next tenth of a second",
        .persist =
            "CPUQuota= (empty) in the systemd unit; no --cpus for docker and podman; no CPU limit in Kubernetes"};
    std::string why_not;
    const auto limits = limits_of(host.raw, "cpu", why_not);
    if (!limits) return not_known(about, why_not);
    if (limits->empty()) return well(about);
    const limit& inner = limits->front();
    about.measured = fmt::format("{} us in {}", inner.text, inner.file);
    about.fix = fmt::format("echo {} >{}", inner.file.ends_with("cpu.max") ? "max" : "-1", inner.file);
    return bad(about, severity::warn);
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
    about.persist = fmt::format("MemoryMax={} in the systemd unit; --memory {} for docker and podman", wanted, wanted);
    std::string why_not;
    const auto limits = limits_of(host.raw, "memory", why_not);
    if (!limits) return not_known(about, why_not);
    for (const limit& each : *limits) {
        const std::uint64_t bytes = std::strtoull(each.text.c_str(), nullptr, 10);
        if (bytes >= wanted) continue;
        about.measured = fmt::format("{} in {}", human_bytes(bytes), each.file);
        about.fix = fmt::format("echo {} >{}", wanted, each.file);
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
