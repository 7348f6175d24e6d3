// SPDX-License-Identifier: BSD-3-Clause
/// What the tests in the machine share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <verbcast/group.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/units.hpp>

#include "support/stream_receiver.hpp"

namespace verbcast::test {

using receiver = stream_receiver<ibv_reader_config>;
using cnt_list = std::vector<std::uint64_t>;
using transport = ibv_reader_config::queue_transport;

constexpr const char* first_group = "239.1.1.1";
constexpr const char* second_group = "239.1.1.2";

inline ibv_reader_config on_rxe(const std::vector<std::string>& groups = {"239.1.1.1:4791"}) {
    ibv_reader_config config{.interface = "veth1", .transport = transport::ud, .buffer_bytes = 4_MiB};
    for (const std::string& each : groups) config.groups.push_back(group::parse(each));
    return config;
}

}  // namespace verbcast::test
