// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/datagram_queue_pair.hpp"

#include <cerrno>

#include "verbs/os_error.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {

void require_ethernet(const ibv_port_attr& port, const std::string& port_name) {
    if (port.link_layer != IBV_LINK_LAYER_INFINIBAND) return;
    throw os_error(EOPNOTSUPP, "datagrams of RoCE on " + port_name,
                   "its network is InfiniBand: receive through its IP interface and sockets (udp)");
}

queue_pair make_datagram_receiver(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t receives,
                                  std::uint32_t key) {
    require_ethernet(owner.port_attributes(), owner.port_name());
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = completions;
    wanted.cap.max_recv_wr = static_cast<std::uint32_t>(receives);
    wanted.cap.max_recv_sge = 1;
    wanted.qp_type = IBV_QPT_UD;
    queue_pair pair(ibv_create_qp(domain, &wanted));
    if (!pair) throw_verbs_error(errno, "ibv_create_qp(UD)", owner.name());
    if (const int error = to_datagram_init(pair.get(), owner.port(), key))
        throw_verbs_error(error, "ibv_modify_qp(INIT)", owner.name());
    return pair;
}

int to_datagram_init(ibv_qp* pair, std::uint8_t port, std::uint32_t key) noexcept {
    ibv_qp_attr wanted{};
    wanted.qp_state = IBV_QPS_INIT;
    wanted.port_num = port;
    wanted.qkey = key;
    return ibv_modify_qp(pair, &wanted, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
}

}  // namespace verbcast::verbs
