// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/placement.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <verbcast/error.hpp>

#include "src/binding.hpp"

namespace verbcast {
namespace {

constexpr int core_number_max = 1 << 16;

bool contains(const std::vector<int>& numbers, int number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::vector<int> allowed_of(const topology& host) {
    std::vector<int> numbers;
    numbers.reserve(host.cpus.size());
    for (const topology::cpu& each : host.cpus)
        if (each.allowed) numbers.push_back(each.number);
    return numbers;
}

/// Best first. CPUs of a core that has a thread already come last; what is taken or core 0 comes before those only.
class ranking {
public:
    ranking(const topology& host, const std::vector<int>& taken) : host_(host) {
        if (const topology::cpu* first = host.find_cpu(0)) core_0_ = first->core;
        for (const int each : taken)
            if (const topology::cpu* cpu = host.find_cpu(each)) taken_cores_.insert(cpu->core);
    }

    std::vector<int> ranked(const std::vector<int>& candidates) const {
        std::map<std::size_t, int> threads_of_core;
        std::vector<std::pair<key, int>> keyed;
        for (const int number : candidates)
            if (const topology::cpu* const cpu = host_.find_cpu(number))
                keyed.emplace_back(key_of(*cpu, threads_of_core[cpu->core]++), number);
        std::sort(keyed.begin(), keyed.end());
        std::vector<int> numbers;
        numbers.reserve(keyed.size());
        for (const auto& each : keyed) numbers.push_back(each.second);
        return numbers;
    }

private:
    using key = std::tuple<int, bool, bool, bool, int, std::size_t, int>;

    key key_of(const topology::cpu& cpu, int siblings_before) const {
        const bool chores = core_0_ == cpu.core;
        return {siblings_before, taken_cores_.contains(cpu.core), !cpu.isolated,
                chores,          -cpu.speed.value_or(0),          cpu.cache,
                cpu.number};
    }

    const topology& host_;
    std::optional<std::size_t> core_0_;
    std::set<std::size_t> taken_cores_;
};

std::string_view name_of(const topology::nic& nic) { return nic.netdev.empty() ? nic.device : nic.netdev; }

/// What is known of the NIC's place, as a clause.
std::string place_of(const topology::nic* nic, const std::string& name) {
    if (nic == nullptr) return fmt::format("{} is no NIC whose place is known", name);
    switch (nic->where) {
    case topology::locality::node: return fmt::format("{} is on NUMA node {}", name_of(*nic), *nic->node);
    case topology::locality::machine:
        return fmt::format("the firmware does not say on which NUMA node {} is", name_of(*nic));
    case topology::locality::unknown: break;
    }
    return fmt::format("{} is on no single NUMA node", name_of(*nic));
}

void note_memory(placement_report& report, const topology& host, std::optional<int> node) {
    if (!node) return;
    for (const topology::memory_node& each : host.nodes) {
        if (each.number != *node) continue;
        if (each.allowed)
            report.memory_node = node;
        else
            report.text += fmt::format("; memory of node {} may not be used here", *node);
    }
}

std::string cores_text(const std::vector<int>& cores) {
    return fmt::format("{} {}", cores.size() == 1 ? "core" : "cores", fmt::join(cores, ","));
}

/// Whose memory is local to all of them.
std::optional<int> common_node(const topology& host, const std::vector<int>& cores) {
    std::set<std::optional<int>> nodes;
    for (const int each : cores)
        if (const topology::cpu* cpu = host.find_cpu(each)) nodes.insert(cpu->node);
    return nodes.size() == 1 ? *nodes.begin() : std::nullopt;
}

placement_report place_beside(const placement& wish, const topology& host, std::size_t threads,
                              const std::vector<int>& taken) {
    const topology::nic* const nic = host.find_nic(wish.interface);
    const std::vector<int> allowed = allowed_of(host);
    std::vector<int> near;
    for (const int each : allowed)
        if (nic == nullptr || contains(nic->cpus, each)) near.push_back(each);
    placement_report report;
    report.text = place_of(nic, wish.interface);
    if (nic != nullptr) report.locality = nic->where;
    if (near.empty()) {
        near = allowed;
        report.text += ", none of whose cores may be used here";
    }
    report.cores = ranking(host, taken).ranked(near);
    report.cores.resize(std::min(report.cores.size(), threads));
    if (report.cores.empty())
        report.text += "; no core is known";
    else
        report.text = cores_text(report.cores) + ": " + report.text;
    note_memory(report, host, nic != nullptr ? nic->node : std::nullopt);
    return report;
}

placement_report place_on(const placement& wish, const topology& host, std::size_t threads) {
    const std::vector<int> allowed = allowed_of(host);
    for (const int each : wish.cores)
        if (!contains(allowed, each))
            throw config_error(
                "cores", std::to_string(each),
                fmt::format("must be among those that this process may use: {}", fmt::join(allowed, ",")));
    placement_report report;
    report.cores = wish.cores;
    report.cores.resize(std::min(report.cores.size(), threads));
    report.text = cores_text(report.cores) + ": as asked";
    std::optional<int> node = common_node(host, report.cores);
    if (const topology::nic* const nic = host.find_nic(wish.interface)) {
        report.locality = nic->where;
        report.text += "; " + place_of(nic, wish.interface);
        for (const int each : report.cores)
            if (!contains(nic->cpus, each)) report.text += fmt::format("; core {} is not near it", each);
        if (nic->node) node = nic->node;
    }
    note_memory(report, host, node);
    return report;
}

/// The interface, or those it is made of (the parent of a VLAN, the members of a bond).
std::vector<std::string> physical_interfaces(const std::string& name) {
    std::vector<std::string> lower;
    std::error_code error;
    std::filesystem::directory_iterator each("/sys/class/net/" + name, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
        const std::string entry = each->path().filename().string();
        constexpr std::string_view prefix = "lower_";
        if (!std::string_view(entry).starts_with(prefix)) continue;
        for (std::string& below : physical_interfaces(entry.substr(prefix.size()))) lower.push_back(std::move(below));
    }
    if (lower.empty()) lower.push_back(name);
    std::sort(lower.begin(), lower.end());
    return lower;
}

}  // namespace

placement placement::beside(std::string interface) {
    return {.how = mode::automatic, .interface = std::move(interface)};
}

placement placement::on(std::vector<int> cores) { return {.how = mode::cores, .cores = std::move(cores)}; }

void placement::validate() const {
    if (how == mode::automatic && interface.empty())
        throw config_error("interface", "\"\"", "must be the NIC that threads are to be near");
    if (interface.find('/') != std::string::npos) throw config_error("interface", interface, "must be a name");
    if (how == mode::cores && cores.empty()) throw config_error("cores", "none", "must be one core or more");
    for (const int each : cores)
        if (each < 0 || each > core_number_max)
            throw config_error("cores", std::to_string(each), fmt::format("must be 0 to {}", core_number_max));
}

placement_report place(const placement& wish, const topology& host, std::size_t threads,
                       const std::vector<int>& taken) {
    wish.validate();
    switch (wish.how) {
    case placement::mode::automatic: return place_beside(wish, host, threads, taken);
    case placement::mode::cores: return place_on(wish, host, threads);
    case placement::mode::none: break;
    }
    placement_report report;
    report.text = "wherever the kernel likes";
    return report;
}

placement_report place_here(const placement& wish, std::size_t threads) {
    wish.validate();
    if (wish.how == placement::mode::none) return place(wish, {}, threads);
    const topology host = topology::of_this_host();
    placement resolved = wish;
    // Of a bond the first member that is a NIC: its members share a NIC, or receive both.
    if (host.find_nic(wish.interface) == nullptr && !wish.interface.empty()) {
        const std::vector<std::string> below = physical_interfaces(wish.interface);
        const auto found = std::find_if(below.begin(), below.end(),
                                        [&](const std::string& each) { return host.find_nic(each) != nullptr; });
        if (found != below.end()) resolved.interface = *found;
    }
    placement_report report = place(resolved, host, threads);
    if (report.memory_node && !can_bind_memory(*report.memory_node)) {
        report.text += fmt::format("; memory could not be bound to node {}", *report.memory_node);
        report.memory_node.reset();
    }
    return report;
}

}  // namespace verbcast
