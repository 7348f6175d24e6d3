// SPDX-License-Identifier: BSD-3-Clause
/// What the configurations of readers have in common. All throw config_error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <verbcast/error.hpp>
#include <verbcast/group.hpp>

namespace verbcast {

template <class Value>
void check_range(std::string_view field, Value value, Value least, Value most) {
    if (value < least || value > most)
        throw config_error(field, fmt::format("{}", value), fmt::format("must be {} to {}", least, most));
}

/// One or more, each valid, and none that would be received twice.
void check_groups(const std::vector<group>& groups);

/// "udp 239.2.1.150:7148 and 3 more".
std::string groups_text(std::string_view kind, const std::vector<group>& groups);

/// "32 MiB".
std::string in_units(std::uint64_t bytes);

}  // namespace verbcast
