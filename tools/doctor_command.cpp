// SPDX-License-Identifier: BSD-3-Clause
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "commands.hpp"
#include "help_text.hpp"
#include "host/checks.hpp"
#include "host/host_gatherer.hpp"
#include "host/host_view.hpp"
#include "interface_name.hpp"
#include "option_values.hpp"
#include "terminal.hpp"

namespace verbcast::tools {
namespace {

struct doctor_options {
    reception_plan plan;
    std::vector<std::string> groups;
    std::optional<std::chrono::nanoseconds> listen;
    std::string from;
    std::string bundle;
    bool json = false;
};

void write_bundle(const host_snapshot& snapshot, const std::string& file) {
    std::ofstream out(file);
    out << json_line(snapshot.to_json());
    if (!out.flush()) throw std::system_error(errno, std::generic_category(), file);
    terminal(stderr).message(
        wrapped(fmt::format("verbcast doctor: {} has in it: {}", file, bundle_contents), help_columns(stderr), 0));
}

/// Device names and addresses become interfaces; a name that is none stays, and is found to be none.
std::vector<std::string> resolved(const std::vector<std::string>& names) {
    std::vector<std::string> interfaces;
    for (const std::string& each : names) {
        try {
            interfaces.push_back(find_interface(each));
        } catch (const std::runtime_error&) {
            interfaces.push_back(each);
        }
    }
    return interfaces;
}

host_view look_at(const doctor_options& options, reception_plan& plan) {
    if (!options.from.empty()) return view_of_file(options.from);
    plan.interfaces = resolved(plan.interfaces);
    gather_wish wish{.interfaces = plan.interfaces};
    if (options.listen) {
        if (wish.interfaces.empty()) throw usage_error("--listen needs to know where: name it with --interface");
        wish.listen_time = *options.listen;
        terminal(stderr).message(fmt::format("verbcast doctor: listening for an IGMP query for {} s",
                                             options.listen->count() / 1'000'000'000));
    }
    return view_of(gather(wish));
}

int run(const doctor_options& options) {
    reception_plan plan = options.plan;
    for (const std::string& each : options.groups) plan.groups.push_back(group::parse(each, "--groups"));
    const host_view host = look_at(options, plan);
    if (!options.bundle.empty()) write_bundle(host.raw, options.bundle);
    const findings all = diagnose(host, plan);
    json list = json::array();
    for (const finding& each : all) list.push_back(finding_json(each));
    if (options.json)
        print_json({{"findings", list}});
    else
        print_text(findings_text(all, help_columns(stdout)));
    return exit_code_of(all);
}

option_section plan_section(doctor_options& options) {
    reception_plan& plan = options.plan;
    return {
        "What is going to be received",
        {{.name = "--interface",
          .value = "IF",
          .help = "Look at this network interface; also the name of an RDMA device or an address of this host. May be "
                  "repeated. Without it, at all that look like NICs and are up.",
          .set = [&plan](const std::string& text) { plan.interfaces.push_back(text); },
          .repeats = true},
         {.name = "--groups",
          .value = "GROUP...",
          .help = "Look at these groups: [SOURCE@]ADDRESS:PORT, as for recv.",
          .set = [&options](const std::string& text) { options.groups.push_back(text); },
          .repeats = true,
          .several = true},
         {.name = "--packet",
          .value = "BYTES",
          .help = "UDP payload of a packet, for the MTU.",
          .set = into_bytes(plan.packet_bytes, 1, 65507)},
         {.name = "--buffer",
          .value = "BYTES",
          .help = "Memory that a NIC receives into (default 64MiB), for locked memory and huge pages.",
          .set = into_bytes(plan.region_bytes, 1)},
         {.name = "--threads",
          .value = "N",
          .help = "Threads that receive from each NIC (default 2).",
          .set = into_count(plan.threads, 1, 1024)},
         {.name = "--listen",
          .value = "SECONDS",
          .help = "Wait so long for an IGMP query on --interface; queriers send one in two minutes.",
          .set = into_seconds(options.listen)}}};
}

option_section file_section(doctor_options& options) {
    return {"Where it is looked at, and what is shown",
            {{.name = "--bundle",
              .value = "FILE",
              .help = "Write all that was read into a file, for --from elsewhere. It says what is in it: no secrets.",
              .set = into_text(options.bundle)},
             {.name = "--from",
              .value = "FILE",
              .help = "Look at another host: a bundle, or XML of hwloc (lstopo host.xml), of which little can be told.",
              .set = into_text(options.from)},
             {.name = "--json", .help = "One JSON object, with all findings.", .set = into_flag(options.json)}}};
}

constexpr const char* description =
    "Says what is wrong with a host that is to receive: each finding with what was measured, what is wanted, why, the "
    "command that mends it, and how to make that last. Changes nothing itself.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast doctor
  verbcast doctor --interface eth0 --groups 239.2.1.150:7148 239.2.1.151:7148 --packet 8192
  verbcast doctor --bundle host.json
  verbcast doctor --from host.json --json

Exit codes:
  0  fine; look at what is not known
  1  warnings, or the host or the file could not be read
  2  usage
  3  failures
)";

}  // namespace

command doctor_command() {
    const auto options = std::make_shared<doctor_options>();
    return {
        .name = "doctor",
        .summary = "Say what is wrong with a host that is to receive, and how to mend it.",
        .description = description,
        .positionals = {},
        .sections = {plan_section(*options), file_section(*options)},
        .epilogue = epilogue,
        .run = [options] { return run(*options); },
    };
}

}  // namespace verbcast::tools
