// SPDX-License-Identifier: BSD-3-Clause
#include "command_line.hpp"
#include "commands.hpp"
#include "standard_descriptors.hpp"

int main(int argc, char** argv) {
    using namespace verbcast::tools;
    reserve_standard_descriptors();
    return run_command_line(argc, argv,
                            {inspect_command(), recv_command(), send_command(), softnic_command(), topo_command(),
                             doctor_command(), run_raw_command()});
}
