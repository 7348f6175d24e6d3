// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include <verbcast/group.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/stream.hpp>

namespace verbcast::tools {

enum class reader_wish { automatic, udp, ibv };

/// What brings the packets in, and why this.
struct reader_choice {
    std::string name;  ///< "udp" or "ibv"
    std::string why;
};

/// The configurations of the readers to choose from, with groups and interface as the command line has them.
struct reader_configs {
    udp_reader_config udp;
    ibv_reader_config ibv;
};

/// Gives the stream the reader that is wished for; `automatic` takes the NIC's queue where it can be had, else sockets.
/// Throws what adding that reader throws, and usage_error when the wish is udp and the configuration is not for
/// sockets.
reader_choice add_reader(stream_base& to, reader_wish wish, const reader_configs& configs);

/// A list of groups from the command line. Throws config_error.
std::vector<group> parse_groups(const std::vector<std::string>& texts);

}  // namespace verbcast::tools
