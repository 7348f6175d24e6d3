// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/api.hpp>

#include <string_view>

/// The version of these headers.
#define VERBCAST_VERSION_MAJOR 0
#define VERBCAST_VERSION_MINOR 1
#define VERBCAST_VERSION_PATCH 0

namespace verbcast {

/// The version of the library that runs, as "0.1.0". A shared library may be newer than the headers a program was
/// compiled with: those say VERBCAST_VERSION_MAJOR, _MINOR and _PATCH.
[[nodiscard]] VERBCAST_API std::string_view version() noexcept;

}  // namespace verbcast
