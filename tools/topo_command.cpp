// SPDX-License-Identifier: BSD-3-Clause
#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "commands.hpp"
#include "host/host_gatherer.hpp"
#include "host/host_view.hpp"
#include "host/topology_drawing.hpp"
#include "host/topology_json.hpp"
#include "host/topology_text.hpp"
#include "json_output.hpp"
#include "option_values.hpp"

namespace verbcast::tools {
namespace {

struct topo_options {
    std::string from;
    std::string svg;
    bool json = false;
    std::size_t threads = 2;
};

void write_file(const std::string& file, const std::string& text) {
    std::ofstream out(file);
    out << text;
    if (!out.flush()) throw std::system_error(errno, std::generic_category(), file);
}

int run(const topo_options& options) {
    const host_view view =
        options.from.empty() ? view_of(gather({.with_topology_only = true})) : view_of_file(options.from);
    const std::vector<placement_report> proposed = propose_threads(view.layout, options.threads);
    if (!options.svg.empty()) write_file(options.svg, topology_drawing(view, proposed));
    if (options.json) print_json(topology_json(view, proposed));
    if (!options.json && options.svg.empty()) print_text(topology_text(view, proposed));
    return exit_code::fine;
}

option_section section(topo_options& options) {
    return {"What is shown, and how",
            {{.name = "--from",
              .value = "FILE",
              .help = "Another host: a bundle of verbcast doctor, or XML of hwloc (lstopo host.xml).",
              .set = into_text(options.from)},
             {.name = "--threads",
              .value = "N",
              .help = "Threads to propose cores for, for each NIC (default 2).",
              .set = into_count(options.threads, 1, 1024)},
             {.name = "--svg", .value = "FILE", .help = "Draw it into a file.", .set = into_text(options.svg)},
             {.name = "--json", .help = "One JSON object.", .set = into_flag(options.json)}}};
}

constexpr const char* description =
    "Shows a host as a receiver sees it: packages, NUMA nodes, caches and cores; NICs, where they are attached, what "
    "their PCIe links carry and where their interrupts fire; and which cores to receive on.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast topo
  verbcast topo --svg host.svg
  verbcast topo --from bundle.json --threads 4 --json

Exit codes:
  0  shown
  1  the host or the file could not be read, or the drawing not be written
  2  usage
)";

}  // namespace

command topo_command() {
    const auto options = std::make_shared<topo_options>();
    return {
        .name = "topo",
        .summary = "Show cores, memory and NICs of a host, and which cores to receive on.",
        .description = description,
        .positionals = {},
        .sections = {section(*options)},
        .epilogue = epilogue,
        .run = [options] { return run(*options); },
    };
}

}  // namespace verbcast::tools
