// SPDX-License-Identifier: BSD-3-Clause
/// The subcommands of `verbcast`, each made in a file of its own.
#pragma once

#include "command.hpp"

namespace verbcast::tools {

command inspect_command();
command recv_command();
command send_command();
command softnic_command();

}  // namespace verbcast::tools
