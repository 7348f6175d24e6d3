// SPDX-License-Identifier: BSD-3-Clause
#include "command_line.hpp"

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <verbcast/error.hpp>
#include <verbcast/version.hpp>

#include "help_text.hpp"
#include "json_output.hpp"
#include "safe_text.hpp"
#include "terminal.hpp"

namespace verbcast::tools {
namespace {

template <class Call>
void as_parse_error(const std::string& name, Call&& call) {
    try {
        call();
    } catch (const usage_error& error) {
        throw CLI::ValidationError(name, error.what());
    }
}

void add_option(CLI::App& app, const option& each) {
    if (each.value.empty()) {
        app.add_flag_callback(each.name, [&each] { each.set(""); });
        return;
    }
    if (each.repeats) {
        app.add_option_function<std::vector<std::string>>(each.name,
                                                          [&each](const std::vector<std::string>& texts) {
                                                              as_parse_error(each.name, [&] {
                                                                  for (const std::string& text : texts) each.set(text);
                                                              });
                                                          })
            ->allow_extra_args(each.several);  // else one value each time: what follows may be a positional
        return;
    }
    app.add_option_function<std::string>(
        each.name, [&each](const std::string& text) { as_parse_error(each.name, [&] { each.set(text); }); });
}

void add_positional(CLI::App& app, const positional& each) {
    const auto set = [&each](const std::vector<std::string>& texts) {
        as_parse_error(each.name, [&] { each.set(texts); });
    };
    if (each.several)
        app.add_option_function<std::vector<std::string>>(each.name, set)->required();
    else
        app.add_option_function<std::string>(each.name, [set](const std::string& text) { set({text}); })->required();
}

CLI::App* add_command(CLI::App& app, const command& each) {
    CLI::App* const made = app.add_subcommand(each.name, each.summary);
    for (const positional& argument : each.positionals) add_positional(*made, argument);
    for (const option_section& section : each.sections)
        for (const option& one : section.options) add_option(*made, one);
    return made;
}

const command* find_command(const std::vector<command>& commands, std::string_view name) {
    for (const command& each : commands)
        if (each.name == name) return &each;
    return nullptr;
}

std::string names_of(const std::vector<command>& commands) {
    std::string names;
    for (const command& each : commands) names += (names.empty() ? "" : ", ") + each.name;
    return names;
}

/// Where there is no place to say that this failed.
void print_error(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

int report(std::string_view who, std::string_view what, int code) {
    print_error(fmt::format("{}: {}\n", who, safe_text(what)));
    return code;
}

/// Help and version are results like others.
int report_result(std::string_view text) {
    try {
        print_text(text);
    } catch (const std::system_error& error) {
        return report("verbcast", error.what(), exit_code::trouble);
    }
    return exit_code::fine;
}

int report_usage(std::string_view who, std::string_view what) {
    return report(who, fmt::format("{} (see {} --help)", what, who), exit_code::usage);
}

/// The field of a configuration that an option sets is called as the option is.
std::string in_words_of_options(const command& chosen, const config_error& error) {
    const std::string_view what = error.what();
    for (const option_section& section : chosen.sections)
        for (const option& each : section.options)
            if (!each.field.empty() && each.field == error.field() && what.starts_with(error.field()))
                return each.name + std::string(what.substr(error.field().size()));
    return std::string(what);
}

int run(const command& chosen) {
    const std::string who = "verbcast " + chosen.name;
    try {
        return chosen.run();
    } catch (const usage_error& error) {
        return report_usage(who, error.what());
    } catch (const config_error& error) {
        return report_usage(who, in_words_of_options(chosen, error));
    } catch (const std::bad_alloc&) {
        return report(who, "out of memory; ask for smaller or fewer heaps", exit_code::trouble);
    } catch (const std::exception& error) {
        return report(who, error.what(), exit_code::trouble);
    }
}

}  // namespace

int run_command_line(int argc, const char* const* argv, const std::vector<command>& commands) {
    CLI::App app("", "verbcast");
    app.require_subcommand(1);
    app.set_version_flag("--version", "verbcast " + std::string(version()));
    std::vector<CLI::App*> parsers;
    parsers.reserve(commands.size());
    for (const command& each : commands) parsers.push_back(add_command(app, each));
    const auto chosen = [&]() -> const command* {
        for (std::size_t i = 0; i < parsers.size(); ++i)
            if (parsers[i]->parsed()) return &commands[i];
        return nullptr;
    };
    if (argc < 2) {
        print_error(help_of_all(commands, help_columns(stderr)));
        return exit_code::usage;
    }
    if (const std::string_view first = argv[1]; !first.starts_with('-') && !find_command(commands, first))
        return report_usage("verbcast", fmt::format("\"{}\" is not one of: {}", first, names_of(commands)));
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForVersion& version) {
        return report_result(std::string(version.what()) + "\n");
    } catch (const CLI::CallForHelp&) {
        const command* const about = chosen();
        const int columns = help_columns(stdout);
        return report_result(about ? help_of(*about, columns) : help_of_all(commands, columns));
    } catch (const CLI::ParseError& error) {
        const command* const about = chosen();
        return report_usage(about ? "verbcast " + about->name : "verbcast", error.what());
    }
    return run(*chosen());
}

}  // namespace verbcast::tools
