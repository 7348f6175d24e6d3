// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/machine_parts.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

node_part node_of(const topology& host, std::optional<int> number, std::size_t package) {
    node_part part;
    std::map<std::size_t, std::map<std::size_t, core_part>> caches;
    for (const topology::cpu& each : host.cpus)
        if (each.node == number && each.package == package) caches[each.cache][each.core].push_back(&each);
    for (auto& [cache, cores] : caches) {
        cache_part& made = part.caches.emplace_back();
        made.bytes = host.caches[cache].bytes;
        for (auto& [core, cpus] : cores) made.cores.push_back(std::move(cpus));
    }
    return part;
}

/// The package that all these CPUs are in.
std::optional<std::size_t> package_of(const topology& host, const std::vector<int>& cpus) {
    std::set<std::size_t> packages;
    for (const int each : cpus)
        if (const topology::cpu* cpu = host.find_cpu(each)) packages.insert(cpu->package);
    if (packages.size() != 1) return std::nullopt;
    return *packages.begin();
}

void add_memories(const topology& host, machine_parts& parts, std::map<int, node_part*>& nodes) {
    for (const topology::memory_node& each : host.nodes) {
        const topology::cpu* const cpu = each.cpus.empty() ? nullptr : host.find_cpu(each.cpus.front());
        const auto found = cpu != nullptr && cpu->node ? nodes.find(*cpu->node) : nodes.end();
        const bool own =
            found != nodes.end() && std::any_of(host.nodes.begin(), host.nodes.end(), [&](const auto& other) {
                return other.number == found->first && other.cpus == each.cpus;
            });
        (own ? found->second->memories : parts.memories).push_back(&each);
    }
}

void add_nics(const topology& host, machine_parts& parts, const std::map<int, node_part*>& nodes) {
    for (std::size_t i = 0; i < host.nics.size(); ++i) {
        const topology::nic& each = host.nics[i];
        const auto node = each.node ? nodes.find(*each.node) : nodes.end();
        const std::optional<std::size_t> package = package_of(host, each.cpus);
        if (node != nodes.end())
            node->second->nics.push_back(i);
        else if (each.where == topology::locality::unknown && package)
            parts.packages[*package].nics.push_back(i);
        else
            parts.nics.push_back(i);
    }
}

}  // namespace

machine_parts parts_of(const topology& host) {
    machine_parts parts;
    parts.packages.resize(host.packages.size());
    std::set<std::pair<std::size_t, std::optional<int>>> seen;
    for (const topology::cpu& each : host.cpus) seen.emplace(each.package, each.node);
    for (const auto& [package, node] : seen) parts.packages[package].nodes.push_back(node_of(host, node, package));
    for (std::size_t i = 0; i < host.packages.size(); ++i) parts.packages[i].package = &host.packages[i];
    // A node of several packages is drawn in each, and has its memory and NICs in the first.
    std::map<int, node_part*> nodes;
    for (package_part& package : parts.packages)
        for (node_part& node : package.nodes)
            if (const auto number = node.caches.front().cores.front().front()->node) nodes.emplace(*number, &node);
    add_memories(host, parts, nodes);
    add_nics(host, parts, nodes);
    return parts;
}

std::string summary_of(const topology& host) {
    std::set<std::size_t> cores;
    std::uint64_t bytes = 0;
    for (const topology::cpu& each : host.cpus) cores.insert(each.core);
    for (const topology::memory_node& each : host.nodes) bytes += each.bytes;
    std::string text = fmt::format("{}, {}", counted(host.packages.size(), "package"), counted(cores.size(), "core"));
    if (cores.size() != host.cpus.size()) text += fmt::format(" with {}", counted(host.cpus.size(), "thread"));
    text += fmt::format(", {}", counted(host.nodes.size(), "NUMA node"));
    if (bytes != 0) text += ", " + human_bytes(bytes);
    return text;
}

std::string memory_text(const topology::memory_node& node, std::string_view between) {
    std::string text = fmt::format("NUMA node {}", node.number);
    if (node.bytes != 0) text.append(between).append(human_bytes(node.bytes));
    return text;
}

std::string link_text(const pcie_link& link) {
    std::string text;
    if (link.width > 0) text += fmt::format(" x{}", link.width);
    if (link.gigatransfers > 0) text += fmt::format(" at {:g} GT/s", link.gigatransfers);
    if (link.gigabytes_per_second > 0)
        text += fmt::format("{} {:.1f} GB/s", text.empty() ? "" : ",", link.gigabytes_per_second);
    return text.empty() ? text : "PCIe" + text;
}

std::string port_text(const network_interface* interface) {
    if (interface == nullptr) return {};
    if (!interface->up) return "down";
    if (!interface->carrier) return "no carrier";
    if (!interface->megabits) return "up";
    const double gigabits = *interface->megabits / 1000.0;
    return fmt::format("{:g} Gb/s port ({:.1f} GB/s)", gigabits, gigabits / 8);
}

std::string interrupts_text(const std::vector<interrupt>& interrupts) {
    std::set<int> cpus;
    for (const interrupt& each : interrupts) cpus.insert(each.cpus.begin(), each.cpus.end());
    if (cpus.empty()) return {};
    return fmt::format("{} on {}", counted(interrupts.size(), "interrupt"), list_of({cpus.begin(), cpus.end()}));
}

}  // namespace verbcast::tools
