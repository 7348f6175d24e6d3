// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "command.hpp"

namespace verbcast::tools {

/// Parses, runs the command that was named, and turns what it throws into a message on stderr. Returns the exit code.
int run_command_line(int argc, const char* const* argv, const std::vector<command>& commands);

}  // namespace verbcast::tools
