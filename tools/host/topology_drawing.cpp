// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/topology_drawing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/host/machine_parts.hpp"
#include "tools/host/svg_canvas.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

// A NIC's colour is that of the cores proposed for it.
constexpr std::array<std::string_view, 8> nic_colours{"#2563eb", "#059669", "#d97706", "#7c3aed",
                                                      "#db2777", "#0891b2", "#65a30d", "#dc2626"};
constexpr std::string_view ink = "#1f2933", soft_ink = "#64748b", faint_ink = "#94a3b8";
constexpr std::string_view paper = "#ffffff", package_fill = "#f1f5f9", package_edge = "#cbd5e1";
constexpr std::string_view node_edge = "#cbd5e1", cache_fill = "#f8fafc", cache_edge = "#e2e8f0";
constexpr std::string_view core_fill = "#e2e8f0", forbidden_ink = "#cbd5e1", warning = "#b45309", alarm = "#dc2626";

constexpr double page_margin = 32, gap = 16, padding = 16;
constexpr double tile_width = 46, tile_gap = 6, thread_height = 20;
constexpr double cache_header = 22, node_header = 34, package_header = 40;
constexpr double nic_width = 372, nic_height = 100, nic_indent = 30;
constexpr std::size_t tiles_in_row = 8;

struct size {
    double width = 0;
    double height = 0;
};

/// Boxes in rows, none wider than `width_max` unless one of them is.
std::vector<box> flow(const std::vector<size>& sizes, double width_max, size& all) {
    std::vector<box> places;
    double x = 0, y = 0, row = 0;
    all = {};
    for (const size& each : sizes) {
        if (x > 0 && x + each.width > width_max) {
            x = 0;
            y += row + gap;
            row = 0;
        }
        places.push_back({x, y, each.width, each.height});
        x += each.width + gap;
        row = std::max(row, each.height);
        all.width = std::max(all.width, x - gap);
        all.height = y + row;
    }
    return places;
}

class drawing {
public:
    drawing(const host_view& view, const std::vector<placement_report>& proposed)
        : view_(view), proposed_(proposed), parts_(parts_of(view.layout)) {
        for (std::size_t i = 0; i < proposed.size(); ++i) {
            for (const int each : proposed[i].cores) nic_of_cpu_.emplace(each, i);
            for (const interrupt& each : view.interrupts_of(view.layout.nics[i]))
                for (const int cpu : each.cpus) interrupts_on_[cpu].insert(i);
        }
        for (const topology::cpu& each : view.layout.cpus)
            threads_max_ = std::max<std::size_t>(
                threads_max_,
                static_cast<std::size_t>(std::count_if(view.layout.cpus.begin(), view.layout.cpus.end(),
                                                       [&](const auto& other) { return other.core == each.core; })));
    }

    std::string draw() {
        size content;
        std::vector<size> sizes;
        for (const package_part& each : parts_.packages) sizes.push_back(size_of(each));
        if (!parts_.nics.empty() || !parts_.memories.empty()) sizes.push_back(size_of_elsewhere());
        const std::vector<box> places = flow(sizes, page_width_max, content);
        const double top = page_margin + header_height;
        const double width = std::max(content.width, width_min) + 2 * page_margin;
        const double map_top = top + content.height + 2 * gap;
        const double height = map_top + map_height() + page_margin;
        canvas_.rectangle({0, 0, width, height}, {.fill = paper});
        header();
        for (std::size_t i = 0; i < places.size(); ++i) {
            const box at = moved(places[i], page_margin, top);
            if (i < parts_.packages.size())
                package(parts_.packages[i], at);
            else
                elsewhere(at);
        }
        thread_map({page_margin, map_top, width - 2 * page_margin, map_height()});
        return canvas_.write(width, height, name() + " as verbcast sees it");
    }

private:
    static constexpr double page_width_max = 1720, width_min = 560, header_height = 62, node_width_max = 780;
    static constexpr double map_row = 26, map_header = 40, legend_height = 44;

    static box moved(const box& each, double x, double y) { return {each.x + x, each.y + y, each.width, each.height}; }

    std::string name() const { return view_.layout.host.empty() ? "this host" : view_.layout.host; }

    void header() {
        canvas_.text(page_margin, page_margin + 22, name(), {.size = 26, .fill = ink, .weight = "700"});
        canvas_.text(page_margin, page_margin + 44, summary_of(view_.layout), {.size = 13, .fill = soft_ink});
    }

    // Sizes, from the inside out.

    double tile_height() const { return static_cast<double>(threads_max_) * thread_height + 6; }

    size size_of(const cache_part& part) const {
        const std::size_t columns = std::min(part.cores.size(), tiles_in_row);
        const std::size_t rows = (part.cores.size() + tiles_in_row - 1) / tiles_in_row;
        const auto across = static_cast<double>(columns), down = static_cast<double>(rows);
        return {across * (tile_width + tile_gap) - tile_gap + 2 * 10,
                down * (tile_height() + tile_gap) - tile_gap + cache_header + 10};
    }

    std::vector<box> caches_of(const node_part& part, size& all) const {
        std::vector<size> sizes;
        for (const cache_part& each : part.caches) sizes.push_back(size_of(each));
        return flow(sizes, node_width_max, all);
    }

    /// One below the other, hanging on a trunk.
    static size size_of_nics(std::size_t count) {
        if (count == 0) return {};
        return {nic_indent + nic_width, static_cast<double>(count) * (nic_height + gap)};
    }

    size size_of_cores(const node_part& part) const {
        size caches;
        caches_of(part, caches);
        const double title = part.memories.size() > 1 ? 380 : 200;
        return {std::max(caches.width, title) + 2 * padding, caches.height + node_header + padding};
    }

    size size_of(const node_part& part) const {
        const size cores = size_of_cores(part);
        const size nics = size_of_nics(part.nics.size());
        return {std::max(cores.width, nics.width), cores.height + nics.height};
    }

    std::vector<box> nodes_of(const package_part& part, size& all) const {
        std::vector<size> sizes;
        for (const node_part& each : part.nodes) sizes.push_back(size_of(each));
        return flow(sizes, node_width_max + nic_width, all);
    }

    size size_of(const package_part& part) const {
        size nodes;
        nodes_of(part, nodes);
        const size nics = size_of_nics(part.nics.size());
        return {std::max(nodes.width, nics.width) + 2 * padding, nodes.height + nics.height + package_header + padding};
    }

    size size_of_elsewhere() const {
        const size nics = size_of_nics(parts_.nics.size());
        const double memories = 24 * static_cast<double>(parts_.memories.size());
        return {nic_indent + nic_width + 2 * padding, nics.height + memories + package_header};
    }

    // Pictures, from the outside in.

    void package(const package_part& part, const box& at) {
        canvas_.rectangle(at, {.fill = package_fill, .stroke = package_edge, .radius = 14});
        const std::string title = fmt::format("Package {}", part.package->number);
        canvas_.text(at.x + padding, at.y + 26, title, {.size = 15, .fill = ink, .weight = "700"});
        canvas_.text(at.x + at.width - padding, at.y + 26, part.package->model,
                     {.size = 12, .fill = soft_ink, .anchor = "end"}, at.width - 2 * padding - 110);
        size all;
        for (std::size_t i = 0; const box& each : nodes_of(part, all))
            node(part.nodes[i++], moved(each, at.x + padding, at.y + package_header));
        nics(part.nics, at.x + padding, at.y + package_header + all.height, at.width - 2 * padding);
    }

    void elsewhere(const box& at) {
        canvas_.rectangle(at, {.fill = "#fffbeb", .stroke = "#fcd34d", .radius = 14});
        canvas_.text(at.x + padding, at.y + 26, "Somewhere in the machine",
                     {.size = 15, .fill = warning, .weight = "700"});
        double y = at.y + package_header;
        for (const topology::memory_node* each : parts_.memories) {
            canvas_.text(at.x + padding, y + 12, memory_text(*each, " · ") + " without cores",
                         {.size = 13, .fill = ink});
            y += 24;
        }
        for (const std::size_t each : parts_.nics) {
            nic(each, {at.x + padding, y, at.width - 2 * padding, nic_height});
            y += nic_height + gap;
        }
    }

    void node(const node_part& part, const box& at) {
        const size cores = size_of_cores(part);
        const box frame{at.x, at.y, at.width, cores.height};
        canvas_.rectangle(frame, {.fill = paper, .stroke = node_edge, .radius = 10});
        std::string title;
        for (const topology::memory_node* each : part.memories)
            title += (title.empty() ? "" : "  +  ") + memory_text(*each, " · ");
        canvas_.text(frame.x + padding, frame.y + 23, title.empty() ? "no memory of their own" : title,
                     {.size = 13, .fill = ink, .weight = "600"}, frame.width - 2 * padding);
        size all;
        for (std::size_t i = 0; const box& each : caches_of(part, all))
            cache(part.caches[i++], moved(each, frame.x + padding, frame.y + node_header));
        nics(part.nics, at.x, at.y + cores.height, at.width);
    }

    void cache(const cache_part& part, const box& at) {
        canvas_.rectangle(at, {.fill = cache_fill, .stroke = cache_edge, .radius = 8});
        canvas_.text(at.x + 10, at.y + 15, part.bytes != 0 ? "L3 " + human_bytes(part.bytes) : "cores",
                     {.size = 10.5, .fill = soft_ink}, at.width - 14);
        for (std::size_t i = 0; i < part.cores.size(); ++i) {
            const std::size_t rows_above = i / tiles_in_row;
            const auto column = static_cast<double>(i % tiles_in_row), row = static_cast<double>(rows_above);
            core(part.cores[i], at.x + 10 + column * (tile_width + tile_gap),
                 at.y + cache_header + row * (tile_height() + tile_gap));
        }
    }

    void core(const core_part& threads, double x, double y) {
        canvas_.rectangle({x, y, tile_width, tile_height()}, {.fill = core_fill, .radius = 6});
        for (std::size_t i = 0; i < threads.size(); ++i)
            thread(*threads[i], {x + 3, y + 3 + static_cast<double>(i) * thread_height, tile_width - 6, thread_height});
    }

    void thread(const topology::cpu& cpu, const box& at) {
        const auto chosen = nic_of_cpu_.find(cpu.number);
        const bool proposed = chosen != nic_of_cpu_.end();
        if (proposed)
            canvas_.rectangle({at.x, at.y, at.width, at.height}, {.fill = colour(chosen->second), .radius = 4});
        const std::string_view number_ink = proposed ? paper : cpu.allowed ? ink : forbidden_ink;
        canvas_.text(at.x + at.width / 2, at.y + 14.5, std::to_string(cpu.number),
                     {.size = 12, .fill = number_ink, .weight = proposed ? "700" : "400", .anchor = "middle"});
        if (!cpu.allowed) canvas_.line(at.x + 8, at.y + 10, at.x + at.width - 8, at.y + 10, faint_ink, 1);
        const auto fires = interrupts_on_.find(cpu.number);
        if (fires == interrupts_on_.end()) return;
        double dot = at.x + at.width - 5;
        for (const std::size_t each : fires->second) {
            canvas_.circle(dot, at.y + 5, 3.2, paper);
            canvas_.circle(dot, at.y + 5, 2.4, colour(each));
            dot -= 6;
        }
    }

    void nics(const std::vector<std::size_t>& indices, double x, double y, double width) {
        const double trunk = x + 14;
        const auto place = [&](std::size_t i) {
            return box{x + nic_indent, y + gap + static_cast<double>(i) * (nic_height + gap), width - nic_indent,
                       nic_height};
        };
        if (!indices.empty()) {
            const box last = place(indices.size() - 1);
            canvas_.line(trunk, y + 2, trunk, last.y + last.height / 2, faint_ink, 2);
        }
        for (std::size_t i = 0; i < indices.size(); ++i) {
            const box at = place(i);
            // The wider the link, the thicker its line.
            const double carried = view_.link_of(view_.layout.nics[indices[i]]).gigabytes_per_second;
            const double middle = at.y + at.height / 2;
            canvas_.line(trunk, middle, at.x, middle, colour(indices[i]),
                         std::clamp(std::sqrt(carried) * 1.8, 2.0, 14.0));
            nic(indices[i], at);
        }
    }

    void nic(std::size_t index, const box& at) {
        const topology::nic& each = view_.layout.nics[index];
        const network_interface* const interface = view_.find_interface(each.netdev);
        canvas_.rectangle(at, {.fill = paper, .stroke = colour(index), .stroke_width = 1.5, .radius = 10});
        canvas_.rectangle({at.x, at.y + 10, 5, at.height - 20}, {.fill = colour(index), .radius = 2.5});
        const double left = at.x + 18, right = at.x + at.width - 14;
        const std::string title = each.netdev.empty() ? each.device : each.netdev;
        canvas_.text(left, at.y + 24, title, {.size = 15, .fill = ink, .weight = "700"}, 150);
        std::string state = each.netdev.empty() ? "no interface" : each.device;
        const std::string port = port_text(interface);
        if (!port.empty()) state += (state.empty() ? "" : " · ") + port;
        canvas_.text(right, at.y + 24, state, {.size = 12, .fill = soft_ink, .anchor = "end"}, at.width - 190);
        canvas_.text(left, at.y + 43, each.model.empty() ? each.pci_address : each.model + " · " + each.pci_address,
                     {.size = 11, .fill = soft_ink}, at.width - 32);
        capacity(view_.link_of(each), interface, {left, at.y + 54, right - left, 8});
        std::string last = interrupts_text(view_.interrupts_of(each));
        if (interface != nullptr) last = fmt::format("MTU {}{}{}", interface->mtu, last.empty() ? "" : " · ", last);
        if (each.where != topology::locality::node) last = "nobody says on which node it is";
        canvas_.text(left, at.y + 91, last,
                     {.size = 11, .fill = each.where == topology::locality::node ? soft_ink : warning}, at.width - 32);
    }

    /// The PCIe link as a bar, and how much of it the port can fill.
    void capacity(const pcie_link& link, const network_interface* interface, const box& at) {
        const double carried = link.gigabytes_per_second;
        const double port = interface != nullptr && interface->megabits ? *interface->megabits / 8000.0 : 0;
        const std::string text = link_text(link);
        if (carried <= 0 || port <= 0) {
            canvas_.text(at.x, at.y + 10, text.empty() ? "what its link carries is not known" : text,
                         {.size = 11, .fill = soft_ink}, at.width);
            return;
        }
        const bool narrow = port > carried;
        canvas_.rectangle(at, {.fill = core_fill, .radius = 4});
        canvas_.rectangle({at.x, at.y, at.width * std::min(1.0, port / carried), at.height},
                          {.fill = narrow ? alarm : "#10b981", .radius = 4});
        canvas_.text(at.x, at.y + 21, text, {.size = 11, .fill = soft_ink}, at.width - 120);
        canvas_.text(at.x + at.width, at.y + 21,
                     narrow ? "less than the port" : fmt::format("the port fills {:.0f} %", 100 * port / carried),
                     {.size = 11, .fill = narrow ? alarm : soft_ink, .anchor = "end"});
    }

    double map_height() const {
        return map_header + map_row * static_cast<double>(std::max<std::size_t>(proposed_.size(), 1)) + legend_height;
    }

    void thread_map(const box& at) {
        canvas_.text(at.x, at.y + 16, "Where to receive", {.size = 15, .fill = ink, .weight = "700"});
        double y = at.y + map_header;
        if (proposed_.empty())
            canvas_.text(at.x, y + 4, "No NIC is known on this host.", {.size = 12, .fill = soft_ink});
        for (std::size_t i = 0; i < proposed_.size(); ++i, y += map_row) {
            canvas_.rectangle({at.x, y - 12, at.width, map_row - 6}, {.fill = cache_fill, .radius = 5});
            canvas_.circle(at.x + 12, y - 2, 5, colour(i));
            canvas_.text(at.x + 26, y + 2.5, command_for(view_.layout.nics[i], proposed_[i]),
                         {.size = 12, .fill = ink, .fixed = true}, at.width - 40);
        }
        legend(at.x, at.y + at.height - 12);
    }

    void legend(double x, double y) {
        canvas_.rectangle({x, y - 11, 22, 14}, {.fill = nic_colours[0], .radius = 3});
        canvas_.text(x + 28, y, "core to receive on", {.size = 11, .fill = soft_ink});
        canvas_.circle(x + 165, y - 4, 3, nic_colours[0]);
        canvas_.text(x + 174, y, "interrupts of a NIC", {.size = 11, .fill = soft_ink});
        canvas_.line(x + 305, y - 4, x + 325, y - 4, faint_ink, 1);
        canvas_.text(x + 331, y, "not for this process", {.size = 11, .fill = soft_ink});
    }

    static std::string_view colour(std::size_t nic) { return nic_colours[nic % nic_colours.size()]; }

    const host_view& view_;
    const std::vector<placement_report>& proposed_;
    const machine_parts parts_;
    std::map<int, std::size_t> nic_of_cpu_;
    std::map<int, std::set<std::size_t>> interrupts_on_;
    std::size_t threads_max_ = 1;
    svg_canvas canvas_;
};

}  // namespace

std::string topology_drawing(const host_view& view, const std::vector<placement_report>& proposed) {
    return drawing(view, proposed).draw();
}

}  // namespace verbcast::tools
