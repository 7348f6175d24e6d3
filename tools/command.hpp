// SPDX-License-Identifier: BSD-3-Clause
/// A subcommand as data, from which its parser, its help and its run are made.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace verbcast::tools {

/// 0 fine, 1 trouble at run time, 2 usage. A command that runs another command hands its exit code back.
namespace exit_code {
inline constexpr int fine = 0;
inline constexpr int trouble = 1;
inline constexpr int usage = 2;
}  // namespace exit_code

/// What was asked for cannot be: exit code 2.
class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Takes the text that stands behind an option. Throws usage_error, whose message says what is allowed; the option's
/// name is put in front of it.
using option_setter = std::function<void(const std::string&)>;

struct option {
    std::string name;        ///< "--max-heaps"
    std::string value = {};  ///< what help calls its value: "N"; empty for a flag, whose setter gets ""
    std::string help;        ///< sentences: what it does, what it costs, the default
    option_setter set;
    std::string field = {};  ///< of a configuration: its config_error is this option's
    bool repeats = false;    ///< may be given several times; its setter is called for each
    bool several = false;    ///< and takes all that follow, up to the next option
};

struct option_section {
    std::string title;
    std::vector<option> options;
};

struct positional {
    std::string name;  ///< "FILE"
    std::string help;
    std::function<void(const std::vector<std::string>&)> set;
    bool several = false;
};

struct command {
    std::string name;
    std::string summary;      ///< one line, for the list of commands
    std::string description;  ///< paragraphs
    std::vector<positional> positionals;
    std::vector<option_section> sections;
    std::string epilogue;  ///< examples and exit codes, printed as they stand
    /// Called once, after all setters. Returns the exit code. usage_error and config_error become 2, others 1.
    std::function<int()> run;
};

}  // namespace verbcast::tools
