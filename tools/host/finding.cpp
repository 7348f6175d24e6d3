// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/finding.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "tools/help_text.hpp"
#include "tools/human_units.hpp"
#include "tools/safe_text.hpp"

namespace verbcast::tools {
namespace {

json or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

std::size_t count(const findings& all, severity how) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const finding& each) { return each.how == how; }));
}

std::string title(const finding& each) {
    return fmt::format("{:<7} {}{}", severity_name(each.how), each.id,
                       each.subject.empty() ? "" : " (" + each.subject + ")");
}

std::string in_full(const finding& each, int columns) {
    constexpr int margin = 8;
    std::string text = safe_text(title(each)) + "\n";
    const auto line = [&](std::string_view name, const std::string& what) {
        if (!what.empty()) text += wrapped(fmt::format("{}: {}", name, safe_text(what)), columns, margin);
    };
    line("measured", each.measured);
    line("wanted", each.wanted);
    line("why", each.why);
    // Commands are to be copied: never wrapped.
    for (const auto& [name, command] : {std::pair{"fix", each.fix}, std::pair{"to last", each.persist}})
        if (!command.empty()) text += fmt::format("{:{}}{}: {}\n", "", margin, name, safe_text(command));
    return text + "\n";
}

}  // namespace

std::string_view severity_name(severity how) {
    switch (how) {
    case severity::ok: return "ok";
    case severity::warn: return "warn";
    case severity::fail: return "fail";
    case severity::unknown: break;
    }
    return "unknown";
}

json finding_json(const finding& each) {
    return {{"id", each.id},
            {"subject", or_null(each.subject)},
            {"severity", severity_name(each.how)},
            {"measured", each.measured},
            {"wanted", each.wanted},
            {"why", each.why},
            {"fix", or_null(each.fix)},
            {"persist", or_null(each.persist)}};
}

int exit_code_of(const findings& all) {
    if (count(all, severity::fail) != 0) return 3;
    return count(all, severity::warn) != 0 ? 1 : 0;
}

std::string findings_text(const findings& all, int columns) {
    std::string text;
    for (const severity how : {severity::fail, severity::warn})
        for (const finding& each : all)
            if (each.how == how) text += in_full(each, columns);
    for (const severity how : {severity::unknown, severity::ok})
        for (const finding& each : all)
            if (each.how == how) text += safe_text(title(each) + ": " + each.measured) + "\n";
    return text + fmt::format("\n{}, {}, {} not known, {} ok\n", counted(count(all, severity::fail), "failure"),
                              counted(count(all, severity::warn), "warning"), count(all, severity::unknown),
                              count(all, severity::ok));
}

}  // namespace verbcast::tools
