// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/raw_queue_pair.hpp"

#include <cerrno>

#include "verbs/os_error.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

int to_state(ibv_qp* pair, ibv_qp_state state) noexcept {
    ibv_qp_attr wanted{};
    wanted.qp_state = state;
    return ibv_modify_qp(pair, &wanted, IBV_QP_STATE);
}

queue_pair make(const device& owner, ibv_pd* domain, ibv_cq* completions, const ibv_qp_cap& capacity) {
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = completions;
    wanted.cap = capacity;
    wanted.qp_type = IBV_QPT_RAW_PACKET;
    queue_pair pair(ibv_create_qp(domain, &wanted));
    if (!pair) throw_verbs_error(errno, "ibv_create_qp(RAW_PACKET)", owner.name());
    if (const int error = to_init(pair.get(), owner.port()))
        throw_verbs_error(error, "ibv_modify_qp(INIT)", owner.name());
    return pair;
}

}  // namespace

queue_pair make_raw_receiver(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t receives) {
    ibv_qp_cap capacity{};
    capacity.max_recv_wr = static_cast<std::uint32_t>(receives);
    capacity.max_recv_sge = 1;
    return make(owner, domain, completions, capacity);
}

queue_pair make_raw_sender(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t sends) {
    ibv_qp_cap capacity{};
    capacity.max_send_wr = static_cast<std::uint32_t>(sends);
    capacity.max_send_sge = 2;
    queue_pair pair = make(owner, domain, completions, capacity);
    if (const int error = to_ready_to_receive(pair.get())) throw_verbs_error(error, "ibv_modify_qp(RTR)", owner.name());
    if (const int error = to_state(pair.get(), IBV_QPS_RTS))
        throw_verbs_error(error, "ibv_modify_qp(RTS)", owner.name());
    return pair;
}

int to_init(ibv_qp* pair, std::uint8_t port) noexcept {
    ibv_qp_attr wanted{};
    wanted.qp_state = IBV_QPS_INIT;
    wanted.port_num = port;
    return ibv_modify_qp(pair, &wanted, IBV_QP_STATE | IBV_QP_PORT);
}

int to_ready_to_receive(ibv_qp* pair) noexcept { return to_state(pair, IBV_QPS_RTR); }
int to_error(ibv_qp* pair) noexcept { return to_state(pair, IBV_QPS_ERR); }
int to_reset(ibv_qp* pair) noexcept { return to_state(pair, IBV_QPS_RESET); }

bool in_error(ibv_qp* pair) noexcept {
    ibv_qp_attr now{};
    ibv_qp_init_attr ignored{};
    return ibv_query_qp(pair, &now, IBV_QP_STATE, &ignored) != 0 || now.qp_state == IBV_QPS_ERR;
}

}  // namespace verbcast::verbs
