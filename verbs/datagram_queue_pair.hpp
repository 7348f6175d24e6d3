// SPDX-License-Identifier: BSD-3-Clause
/// UD queue pairs: datagrams of RoCE networks, for anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "verbs/device.hpp"
#include "verbs/handle.hpp"

namespace verbcast::verbs {

/// Throws os_error when the port's network is InfiniBand itself: IP's groups are other groups there.
void require_ethernet(const ibv_port_attr& port, const std::string& port_name);

/// In INIT: it takes receive requests, and receives nothing yet. Only datagrams with the key are delivered to it.
/// Throws os_error.
queue_pair make_datagram_receiver(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t receives,
                                  std::uint32_t key);

/// 0, or the error number: ibv_modify_qp(3). The other states are entered as by raw queue pairs.
int to_datagram_init(ibv_qp* pair, std::uint8_t port, std::uint32_t key) noexcept;

}  // namespace verbcast::verbs
