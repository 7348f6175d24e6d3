// SPDX-License-Identifier: BSD-3-Clause
/// A schedule as text, to be run again: the threads that were chosen, in order. "0x3.2.1!" is thread 0 three times,
/// thread 2, and thread 1, whose time is up.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/explorer/scheduler.hpp"

namespace verbcast::explorer {

std::string write_schedule(std::span<const option> chosen);
/// Throws std::invalid_argument.
std::vector<option> read_schedule(std::string_view text);

}  // namespace verbcast::explorer
