// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/verbs_sender.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <arpa/inet.h>

namespace verbcast::test {
namespace {

constexpr std::size_t payload_bytes_max = 4096;

[[noreturn]] void fail(int error, const char* call) { throw std::system_error(error, std::generic_category(), call); }

ibv_gid gid_of(const std::string& address) {
    ibv_gid gid{};
    if (::inet_pton(AF_INET6, address.c_str(), gid.raw) == 1) return gid;
    gid.raw[10] = gid.raw[11] = 0xff;
    if (::inet_pton(AF_INET, address.c_str(), &gid.raw[12]) != 1) throw std::invalid_argument(address);
    return gid;
}

bool is_v4(const ibv_gid& gid) {
    constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(prefix, prefix + sizeof prefix, gid.raw);
}

/// The entry of the device's own address to send from: of the group's IP version, and not link-local.
std::uint8_t source_index(ibv_context* context, const ibv_gid& group) {
    std::vector<ibv_gid_entry> entries(64);
    const ssize_t count = ibv_query_gid_table(context, entries.data(), entries.size(), 0);
    for (ssize_t i = 0; i < count; ++i) {
        const ibv_gid_entry& each = entries[static_cast<std::size_t>(i)];
        const bool link_local = each.gid.raw[0] == 0xfe && (each.gid.raw[1] & 0xc0) == 0x80;
        if (each.gid_type == IBV_GID_TYPE_ROCE_V2 && is_v4(each.gid) == is_v4(group) && !link_local)
            return static_cast<std::uint8_t>(each.gid_index);
    }
    throw std::runtime_error("the device has no address to send to this group from");
}

}  // namespace

verbs_sender::verbs_sender(const std::string& group, std::uint32_t queue_key, const std::string& device)
    : queue_key_(queue_key), nic_(device), buffer_(nic_, payload_bytes_max),
      completions_(ibv_create_cq(nic_.context.get(), 1, nullptr, nullptr, 0)) {
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = completions_.get();
    wanted.cap = {1, 1, 1, 1, 0};
    wanted.qp_type = IBV_QPT_UD;
    pair_.reset(ibv_create_qp(nic_.domain.get(), &wanted));
    if (!pair_) fail(errno, "ibv_create_qp");
    ibv_qp_attr state{};
    state.qkey = queue_key;
    state.port_num = 1;
    const auto go_to = [&](ibv_qp_state next, int mask) {
        state.qp_state = next;
        if (const int error = ibv_modify_qp(pair_.get(), &state, mask)) fail(error, "ibv_modify_qp");
    };
    go_to(IBV_QPS_INIT, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
    go_to(IBV_QPS_RTR, IBV_QP_STATE);
    go_to(IBV_QPS_RTS, IBV_QP_STATE | IBV_QP_SQ_PSN);
    ibv_ah_attr to{};
    to.is_global = 1;
    to.port_num = 1;
    to.grh.hop_limit = 1;
    to.grh.dgid = gid_of(group);
    to.grh.sgid_index = source_index(nic_.context.get(), to.grh.dgid);
    group_.reset(ibv_create_ah(nic_.domain.get(), &to));
    if (!group_) fail(errno, "ibv_create_ah");
}

void verbs_sender::send(const bytes& payload) {
    if (payload.size() > payload_bytes_max) throw std::invalid_argument("a payload larger than the MTU");
    std::copy(payload.begin(), payload.end(), buffer_.data.begin());
    ibv_sge entry = buffer_.entry(0, payload.size());
    ibv_send_wr request{};
    request.sg_list = &entry;
    request.num_sge = 1;
    request.opcode = IBV_WR_SEND;
    request.send_flags = IBV_SEND_SIGNALED;
    request.wr.ud.ah = group_.get();
    request.wr.ud.remote_qpn = multicast_pair;
    request.wr.ud.remote_qkey = queue_key_;
    ibv_send_wr* refused = nullptr;
    if (const int error = ibv_post_send(pair_.get(), &request, &refused)) fail(error, "ibv_post_send");
    ibv_wc done{};
    int polled = 0;
    while ((polled = ibv_poll_cq(completions_.get(), 1, &done)) == 0) continue;
    if (polled < 0) fail(-polled, "ibv_poll_cq");
    if (done.status != IBV_WC_SUCCESS) throw std::runtime_error(ibv_wc_status_str(done.status));
}

}  // namespace verbcast::test
