// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

#include <verbcast/account.hpp>

namespace verbcast::tools {

/// A reason in a few words, for people. docs/account.md says more.
std::string_view meaning(reject_reason reason) noexcept;
std::string_view meaning(ignore_reason reason) noexcept;

}  // namespace verbcast::tools
