// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <infiniband/verbs.h>

namespace softnic {

/// True when a RAW_PACKET queue pair may go from one state to the other with this mask of attributes: all that are
/// required are there, and none that is neither required nor optional.
bool transition_allowed(ibv_qp_state from, ibv_qp_state to, int mask) noexcept;

}  // namespace softnic
