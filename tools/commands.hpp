// SPDX-License-Identifier: BSD-3-Clause
/// The subcommands of `verbcast`, each made in a file of its own.
#pragma once

#include "command.hpp"

namespace verbcast::tools {

command doctor_command();
command inspect_command();
command recv_command();
command run_raw_command();
command send_command();
command softnic_command();
command topo_command();

}  // namespace verbcast::tools
