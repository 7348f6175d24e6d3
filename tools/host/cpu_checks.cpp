// SPDX-License-Identifier: BSD-3-Clause
// What the cores that receive are allowed to do meanwhile.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "tools/host/checks.hpp"

namespace verbcast::tools {
namespace {

constexpr std::int64_t wake_microseconds_max = 50;
constexpr std::uint32_t fast_megabits = 25000;

/// Those that receive, of the NICs that are looked at.
std::vector<int> receiving_cpus(const host_view& host, const reception_plan& plan) {
    std::set<int> cpus;
    const std::vector<placement_report> proposed = propose_threads(host.layout, plan.threads);
    for (std::size_t i = 0; i < proposed.size(); ++i) {
        const topology::nic& nic = host.layout.nics[i];
        const bool meant =
            plan.interfaces.empty() || std::any_of(plan.interfaces.begin(), plan.interfaces.end(),
                                                   [&](const auto& each) { return host.find_nic(each) == &nic; });
        if (meant) cpus.insert(proposed[i].cores.begin(), proposed[i].cores.end());
    }
    if (cpus.empty())
        for (const topology::cpu& each : host.layout.cpus)
            if (each.allowed) cpus.insert(each.number);
    return {cpus.begin(), cpus.end()};
}

std::string cpu_folder(int cpu) { return fmt::format("/sys/devices/system/cpu/cpu{}/", cpu); }

finding governor(const host_view& host, const std::vector<int>& cpus) {
    finding about{
        .id = "cpu.governor",
        .wanted = "performance",
        .why = "a core that slows down while it waits is slow when the burst comes",
        .fix = "for each in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance >$each; done",
        .persist = "tuned-adm profile network-latency"};
    std::set<std::string> seen;
    for (const int cpu : cpus) {
        const std::string key = cpu_folder(cpu) + "cpufreq/scaling_governor";
        if (host.raw.absent(key)) continue;
        const std::optional<std::string> name = host.raw.text(key);
        if (!name) return not_known(about, host.raw.why_not(key));
        seen.insert(*name);
    }
    for (const std::string& each : seen) about.measured += (about.measured.empty() ? "" : ", ") + each;
    if (seen.empty()) about.measured = "this kernel does not change the frequency";
    return seen.empty() || seen == std::set<std::string>{"performance"} ? well(about) : bad(about, severity::warn);
}

finding idle_states(const host_view& host, const std::vector<int>& cpus) {
    finding about{
        .id = "cpu.idle_states",
        .wanted = fmt::format("none that takes longer than {} us to wake from", wake_microseconds_max),
        .why = "a 100 Gb/s port fills a megabyte of buffers in the 100 us that a core takes to wake from a deep sleep",
        .fix = fmt::format(
            "for each in /sys/devices/system/cpu/cpu*/cpuidle/state*; do [ $(cat $each/latency) -le {} ] || "
            "echo 1 >$each/disable; done",
            wake_microseconds_max),
        .persist = "tuned-adm profile network-latency"};
    std::int64_t worst = 0;
    for (const int cpu : cpus) {
        const std::string folder = cpu_folder(cpu) + "cpuidle/";
        if (!host.raw.text(folder) && !host.raw.absent(folder)) return not_known(about, host.raw.why_not(folder));
        for (const std::string& state : host.raw.names(folder)) {
            const std::string path = folder + state;
            if (host.raw.number(path + "/disable").value_or(0) != 0) continue;
            const std::int64_t latency = host.raw.number(path + "/latency").value_or(0);
            if (latency <= worst) continue;
            worst = latency;
            about.measured = fmt::format("{}, which takes {} us to wake from",
                                         host.raw.text(path + "/name").value_or(state), latency);
        }
    }
    if (worst == 0) about.measured = "none that takes time to wake from";
    return worst <= wake_microseconds_max ? well(about) : bad(about, severity::warn);
}

finding isolated(const host_view& host, const std::vector<int>& cpus) {
    const std::string key = "/sys/devices/system/cpu/isolated";
    finding about{
        .id = "cpu.isolated",
        .wanted = "from 25 Gb/s on, the cores that receive",
        .why = "the kernel puts other work on cores that are not isolated; at these rates a millisecond of it is lost "
               "data",
        .persist = fmt::format(
            "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&isolcpus=managed_irq,domain,{0} nohz_full={0} rcu_nocbs={0} /' "
            "/etc/default/grub && update-grub",
            list_of(cpus))};
    about.fix = about.persist + " && reboot";
    const std::optional<std::string> list = host.raw.text(key);
    if (!list && !host.raw.absent(key)) return not_known(about, host.raw.why_not(key));
    const std::vector<int> ours = numbers_in(list.value_or(""));
    const bool all = std::all_of(cpus.begin(), cpus.end(),
                                 [&](int each) { return std::find(ours.begin(), ours.end(), each) != ours.end(); });
    const bool fast = std::any_of(host.interfaces.begin(), host.interfaces.end(),
                                  [](const auto& each) { return each.megabits.value_or(0) >= fast_megabits; });
    about.measured = ours.empty() ? "none" : list_of(ours);
    return all || !fast ? well(about) : bad(about, severity::warn);
}

}  // namespace

void check_cpus(const host_view& host, const reception_plan& plan, findings& into) {
    const std::vector<int> cpus = receiving_cpus(host, plan);
    into.push_back(governor(host, cpus));
    into.push_back(idle_states(host, cpus));
    into.push_back(isolated(host, cpus));
}

}  // namespace verbcast::tools
