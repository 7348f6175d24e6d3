// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "softroce/roce_packet.hpp"

namespace verbcast::test {

struct bad_datagram {
    std::string what;
    bytes datagram;
};

/// What a receiver must never see of a payload that is sent so: a datagram for each kind of thing that is wrong with
/// it.
std::vector<bad_datagram> bad_datagrams(const roce_route& route, const bytes& payload);

}  // namespace verbcast::test
