// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace verbcast::test {

/// What `what` returns in a process of a user without a capability, who may lock that much memory.
std::string as_ordinary_user(std::uint64_t locked_bytes_max, const std::function<std::string()>& what);

}  // namespace verbcast::test
