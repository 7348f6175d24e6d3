// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/topology_text.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/host/machine_parts.hpp"
#include "tools/human_units.hpp"
#include "tools/safe_text.hpp"

namespace verbcast::tools {
namespace {

/// A line, and what hangs on it.
struct branch {
    std::vector<std::string> lines;  ///< the first behind the branch, the others under it
    std::vector<branch> below = {};
};

void print(const std::vector<branch>& branches, const std::string& margin, std::string& out) {
    for (std::size_t i = 0; i < branches.size(); ++i) {
        const bool last = i + 1 == branches.size();
        const branch& each = branches[i];
        const std::string deeper = margin + (last ? "   " : "│  ");
        for (std::size_t line = 0; line < each.lines.size(); ++line) {
            const std::string trunk = each.below.empty() ? "    " : "│   ";
            out += line == 0 ? margin + (last ? "└─ " : "├─ ") : deeper + trunk;
            out += safe_text(each.lines[line]) + "\n";
        }
        print(each.below, deeper, out);
    }
}

class tree {
public:
    tree(const host_view& view, const std::vector<placement_report>& proposed) : view_(view), proposed_(proposed) {
        for (const placement_report& each : proposed) chosen_.insert(each.cores.begin(), each.cores.end());
    }

    std::string text() const {
        const topology& host = view_.layout;
        std::vector<branch> branches;
        const machine_parts parts = parts_of(host);
        for (const package_part& each : parts.packages) branches.push_back(package(each));
        for (const topology::memory_node* each : parts.memories)
            branches.push_back({{memory(*each) + ", far from every core"}});
        for (const std::size_t each : parts.nics) branches.push_back(nic(each));
        std::string out = safe_text(host.host.empty() ? "this host" : host.host) + ": " + summary_of(host) + "\n";
        print(branches, "", out);
        return out + legend();
    }

private:
    branch package(const package_part& part) const {
        const std::string& model = part.package->model;
        branch made{{fmt::format("package {}{}", part.package->number, model.empty() ? "" : "  " + model)}};
        for (const node_part& each : part.nodes) made.below.push_back(node(each));
        for (const std::size_t each : part.nics) made.below.push_back(nic(each));
        return made;
    }

    static std::string memory(const topology::memory_node& node) {
        return memory_text(node, "  ") + (node.allowed ? "" : " (not for this process)");
    }

    branch node(const node_part& part) const {
        std::string name;
        for (const topology::memory_node* each : part.memories) name += (name.empty() ? "" : " + ") + memory(*each);
        branch made{{name.empty() ? "no memory of their own" : name}};
        for (const cache_part& each : part.caches) made.below.push_back(cache(each));
        for (const std::size_t each : part.nics) made.below.push_back(nic(each));
        return made;
    }

    branch cache(const cache_part& part) const {
        branch made;
        std::string line = part.bytes != 0 ? "L3 " + human_bytes(part.bytes) : "cores";
        constexpr std::size_t line_bytes_max = 72;
        for (const core_part& each : part.cores) {
            const std::string text = core(each);
            if (!line.empty() && line.size() + text.size() > line_bytes_max) {
                made.lines.push_back(line);
                line.clear();
            }
            line += (line.empty() ? "" : "  ") + text;
        }
        made.lines.push_back(line);
        return made;
    }

    /// "2+18": threads of a core; brackets around those that are proposed, parentheses around those that are forbidden.
    std::string core(const core_part& threads) const {
        std::string text;
        for (const topology::cpu* each : threads) {
            std::string number = std::to_string(each->number);
            if (!each->allowed) number = fmt::format("({})", number);
            if (chosen_.contains(each->number)) number = fmt::format("[{}]", number);
            text.append(text.empty() ? "" : "+").append(number);
        }
        return text;
    }

    branch nic(std::size_t index) const {
        const topology::nic& each = view_.layout.nics[index];
        const network_interface* const interface = view_.find_interface(each.netdev);
        branch made;
        std::vector<std::string> names;
        for (const std::string& name : {each.netdev, each.device, each.model, each.pci_address})
            if (!name.empty()) names.push_back(name);
        made.lines.push_back(fmt::format("NIC {}", fmt::join(names, "  ")));
        std::vector<std::string> facts;
        for (const std::string& fact : {link_text(view_.link_of(each)), port_text(interface),
                                        interface != nullptr ? fmt::format("MTU {}", interface->mtu) : std::string(),
                                        interrupts_text(view_.interrupts_of(each))})
            if (!fact.empty()) facts.push_back(fact);
        if (!facts.empty()) made.lines.push_back(fmt::format("{}", fmt::join(facts, ", ")));
        if (each.where != topology::locality::node)
            made.lines.emplace_back(each.where == topology::locality::machine
                                        ? "where it is attached is not known: the firmware says \"the whole machine\""
                                        : "near several nodes, or nobody says which");
        if (!proposed_[index].cores.empty()) made.lines.push_back(command_for(each, proposed_[index]));
        return made;
    }

    std::string legend() const {
        std::string text;
        const bool forbidden = std::any_of(view_.layout.cpus.begin(), view_.layout.cpus.end(),
                                           [](const topology::cpu& each) { return !each.allowed; });
        if (!chosen_.empty()) text += "[2] a core to receive on";
        if (forbidden) text += std::string(text.empty() ? "" : ", ") + "(2) not for this process";
        const bool threads = std::any_of(view_.layout.cpus.begin(), view_.layout.cpus.end(), [&](const auto& each) {
            return std::count_if(view_.layout.cpus.begin(), view_.layout.cpus.end(),
                                 [&](const auto& other) { return other.core == each.core; }) > 1;
        });
        if (threads) text += std::string(text.empty() ? "" : ", ") + "2+18 threads of one core";
        return text.empty() ? text : "\n" + text + "\n";
    }

    const host_view& view_;
    const std::vector<placement_report>& proposed_;
    std::set<int> chosen_;
};

}  // namespace

std::string topology_text(const host_view& view, const std::vector<placement_report>& proposed) {
    return tree(view, proposed).text();
}

}  // namespace verbcast::tools
