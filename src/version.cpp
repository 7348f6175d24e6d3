// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/version.hpp>

namespace verbcast {

std::string_view version() noexcept { return VERBCAST_PROJECT_VERSION; }

}  // namespace verbcast
