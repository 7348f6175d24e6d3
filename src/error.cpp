// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/error.hpp>

#include <fmt/format.h>

namespace verbcast {

config_error::config_error(std::string_view field, std::string_view value, std::string_view allowed)
    : std::invalid_argument(fmt::format("{} = {}: {}", field, value, allowed)), field_(field) {}

}  // namespace verbcast
