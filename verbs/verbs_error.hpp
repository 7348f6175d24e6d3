// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace verbcast::verbs {

/// Throws os_error: "CALL on DEVICE: REASON: WHAT TO DO". `call` is the verb, with what it was asked for in
/// parentheses.
[[noreturn]] void throw_verbs_error(int error_number, std::string_view call, std::string_view device);

/// What to do about a verb that failed; empty when that is not known.
std::string advice_for(int error_number, std::string_view call);

}  // namespace verbcast::verbs
