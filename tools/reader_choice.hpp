// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include <verbcast/group.hpp>

namespace verbcast::tools {

enum class reader_wish { automatic, udp, ibv };

/// What brings the packets in, and why this.
struct reader_choice {
    std::string name;  ///< "udp"
    std::string why;
};

/// Throws std::runtime_error when the wish cannot be had.
reader_choice choose_reader(reader_wish wish);

/// A list of groups from the command line. Throws config_error.
std::vector<group> parse_groups(const std::vector<std::string>& texts);

}  // namespace verbcast::tools
