// SPDX-License-Identifier: BSD-3-Clause
#include "help_text.hpp"

#include <algorithm>
#include <cstddef>

namespace verbcast::tools {
namespace {

constexpr int term_columns = 22;  // where explanations begin

/// A term, and its explanation to the right of it, or below it when the term is long.
std::string entry(const std::string& term, std::string_view explanation, int columns) {
    std::string text = "  " + term;
    std::string body = wrapped(explanation, columns, term_columns);
    if (static_cast<int>(text.size()) + 2 <= term_columns)
        body.replace(0, text.size(), text);
    else
        body = text + "\n" + body;
    return body;
}

std::string usage_of(const command& about) {
    std::string text = "usage: verbcast " + about.name;
    for (const positional& each : about.positionals) text += " " + each.name + (each.several ? "..." : "");
    return text + " [OPTION]...\n";
}

}  // namespace

std::string wrapped(std::string_view text, int columns, int indent) {
    const std::size_t room = static_cast<std::size_t>(std::max(columns - indent, 20));
    const std::string margin(static_cast<std::size_t>(indent), ' ');
    std::string out;
    while (!text.empty()) {
        const std::size_t line_end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, line_end);
        text.remove_prefix(std::min(line_end + 1, text.size()));
        while (line.size() > room) {
            std::size_t cut = line.rfind(' ', room);
            if (cut == std::string_view::npos || cut == 0) cut = std::min(line.find(' '), line.size());
            out.append(margin).append(line.substr(0, cut)).append("\n");
            line.remove_prefix(std::min(cut + 1, line.size()));
        }
        if (line.empty())
            out += "\n";
        else
            out.append(margin).append(line).append("\n");
    }
    return out;
}

std::string help_of(const command& about, int columns) {
    std::string text = usage_of(about) + "\n" + wrapped(about.description, columns, 0);
    if (!about.positionals.empty()) text += "\n";
    for (const positional& each : about.positionals)
        text += entry(each.name + (each.several ? "..." : ""), each.help, columns);
    for (const option_section& section : about.sections) {
        text += "\n" + section.title + ":\n";
        for (const option& each : section.options)
            text += entry(each.value.empty() ? each.name : each.name + " " + each.value, each.help, columns);
    }
    text += "\n" + entry("--help", "This text.", columns);
    return text + "\n" + about.epilogue;
}

std::string help_of_all(const std::vector<command>& commands, int columns) {
    std::string text = "usage: verbcast COMMAND ...\n\n";
    text += wrapped("Receives SPEAD heaps from high-rate UDP multicast and accounts for every packet.", columns, 0);
    text += "\ncommands:\n";
    for (const command& each : commands) text += entry(each.name, each.summary, columns);
    text += "\n" + entry("--help", "This text; after a command, all about it.", columns);
    text += entry("--version", "The version of the library.", columns);
    return text + "\nexit codes: 0 fine, 1 trouble at run time, 2 usage\n";
}

}  // namespace verbcast::tools
