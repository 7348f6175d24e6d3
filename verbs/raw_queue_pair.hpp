// SPDX-License-Identifier: BSD-3-Clause
/// RAW_PACKET queue pairs: whole Ethernet frames, for whoever has CAP_NET_RAW.
#pragma once

#include <cstddef>

#include "verbs/completion_queue.hpp"
#include "verbs/device.hpp"
#include "verbs/handle.hpp"

namespace verbcast::verbs {

/// In INIT: it takes receive requests, and receives nothing yet. Throws os_error.
queue_pair make_raw_receiver(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t receives);
/// In RTS. Throws os_error.
queue_pair make_raw_sender(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t sends);

// Each says 0, or the error number: ibv_modify_qp(3).
int to_init(ibv_qp* pair, std::uint8_t port) noexcept;
int to_ready_to_receive(ibv_qp* pair) noexcept;
int to_error(ibv_qp* pair) noexcept;
int to_reset(ibv_qp* pair) noexcept;

/// Whether it is in the error state, or cannot even be asked: ibv_query_qp(3).
bool in_error(ibv_qp* pair) noexcept;

}  // namespace verbcast::verbs
