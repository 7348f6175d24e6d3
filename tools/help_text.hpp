// SPDX-License-Identifier: BSD-3-Clause
/// What --help prints. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command.hpp"

namespace verbcast::tools {

/// `text` in lines of at most `columns`, each behind `indent` spaces. Words longer than a line stand alone; newlines
/// stay.
std::string wrapped(std::string_view text, int columns, int indent);

/// The help of one command: usage, description, arguments, options, epilogue.
std::string help_of(const command& about, int columns);

/// The list of commands.
std::string help_of_all(const std::vector<command>& commands, int columns);

}  // namespace verbcast::tools
