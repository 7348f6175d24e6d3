// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/group.hpp>

namespace verbcast::tools {

struct packet_sender_config;

/// A blocking UDP socket connected to `to`, which the caller closes. Throws std::system_error or usage_error.
int open_destination(const group& to, const packet_sender_config& config);

}  // namespace verbcast::tools
