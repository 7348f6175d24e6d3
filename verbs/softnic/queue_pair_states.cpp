// SPDX-License-Identifier: BSD-3-Clause
#include "queue_pair_states.hpp"

#include <algorithm>
#include <array>

namespace softnic {
namespace {

struct transition {
    ibv_qp_state from;
    ibv_qp_state to;
    int required;
    int optional;
};

constexpr std::array transitions{
    transition{IBV_QPS_RESET, IBV_QPS_INIT, IBV_QP_PORT, 0},
    transition{IBV_QPS_INIT, IBV_QPS_INIT, 0, IBV_QP_PORT},
    transition{IBV_QPS_INIT, IBV_QPS_RTR, 0, 0},
    transition{IBV_QPS_RTR, IBV_QPS_RTS, 0, IBV_QP_CUR_STATE},
    transition{IBV_QPS_RTS, IBV_QPS_RTS, 0, IBV_QP_CUR_STATE},
    transition{IBV_QPS_RTS, IBV_QPS_SQD, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY},
    transition{IBV_QPS_SQD, IBV_QPS_SQD, 0, 0},
    transition{IBV_QPS_SQD, IBV_QPS_RTS, 0, IBV_QP_CUR_STATE},
    transition{IBV_QPS_SQE, IBV_QPS_RTS, 0, IBV_QP_CUR_STATE},
};

}  // namespace

bool transition_allowed(ibv_qp_state from, ibv_qp_state to, int mask) noexcept {
    mask &= ~IBV_QP_STATE;
    if (to == IBV_QPS_RESET || to == IBV_QPS_ERR) return mask == 0;  // from anywhere, with nothing else
    const auto same = [&](const transition& each) { return each.from == from && each.to == to; };
    const auto found = std::find_if(transitions.begin(), transitions.end(), same);
    if (found == transitions.end()) return false;
    return (mask & found->required) == found->required && (mask & ~(found->required | found->optional)) == 0;
}

}  // namespace softnic
