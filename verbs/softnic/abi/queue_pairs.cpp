// SPDX-License-Identifier: BSD-3-Clause
// Queue pairs and posting to them.
#include "../objects.hpp"
#include "../privileges.hpp"
#include "../queue_pair.hpp"
#include "abi.hpp"

#include <cstring>
#include <memory>

using namespace softnic;

namespace {

constexpr std::uint32_t known_attributes = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS |
                                           IBV_QP_INIT_ATTR_MAX_TSO_HEADER | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
constexpr std::uint32_t known_flags = IBV_QP_CREATE_BLOCK_SELF_MCAST_LB | IBV_QP_CREATE_CVLAN_STRIPPING;
constexpr std::uint64_t known_operations = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_TSO;

int check_capacity(const ibv_qp_cap& wanted) noexcept {
    const auto too_many = [](std::uint32_t value, int limit) { return value > static_cast<std::uint32_t>(limit); };
    const bool bad =
        too_many(wanted.max_send_wr, limits::requests_max) || too_many(wanted.max_recv_wr, limits::requests_max) ||
        too_many(wanted.max_send_sge, limits::entries_max) || too_many(wanted.max_recv_sge, limits::entries_max) ||
        wanted.max_inline_data > limits::inline_bytes_max;
    return bad ? EINVAL : 0;
}

int check(const ibv_qp_init_attr_ex& wanted) noexcept {
    if ((wanted.comp_mask & ~known_attributes) != 0) return EOPNOTSUPP;
    if ((wanted.comp_mask & IBV_QP_INIT_ATTR_PD) == 0 || wanted.pd == nullptr) return EINVAL;
    if (wanted.qp_type != IBV_QPT_RAW_PACKET || wanted.srq != nullptr) return EOPNOTSUPP;
    if (wanted.send_cq == nullptr || wanted.recv_cq == nullptr) return EINVAL;
    if ((wanted.comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS) != 0 && (wanted.create_flags & ~known_flags) != 0) {
        return EOPNOTSUPP;
    }
    const bool has_operations = (wanted.comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) != 0;
    if (has_operations && (wanted.send_ops_flags & ~known_operations) != 0) return EOPNOTSUPP;
    return check_capacity(wanted.cap);
}

int create_pair(const char* verb, ibv_context* handle, const ibv_qp_init_attr_ex& wanted, ibv_qp*& made) {
    device_context& opened = device_context::of(handle);
    if (const int error = abi::refusal(verb, opened.owner); error != 0) return error;
    if (const int error = check(wanted); error != 0) return error;
    if (library::instance().strict() && !may_use_raw_queue_pairs()) return EPERM;
    port& attached = opened.owner.attached_port();
    attached.plug_in();
    if (!opened.queue_pairs.take()) return ENOMEM;
    auto pair = std::make_unique<queue_pair>(opened, attached, wanted, opened.owner.next_queue_number());
    {
        const std::scoped_lock lock(attached.receive_mutex);
        attached.admit(*pair);
    }
    ++static_cast<protection_domain*>(wanted.pd)->users;
    ++pair->sends().users;
    ++pair->receives().users;
    const std::scoped_lock lock(opened.objects_mutex);
    opened.pairs.insert(pair.get());
    made = pair.release()->handle();
    return 0;
}

}  // namespace

SOFTNIC_EXPORT ibv_qp* ibv_create_qp(ibv_pd* domain, ibv_qp_init_attr* initial) {
    return abi::as_handle<ibv_qp>([&](ibv_qp*& made) {
        // The plain structure is the beginning of the extended one.
        ibv_qp_init_attr_ex wanted{};
        std::memcpy(&wanted, initial, sizeof *initial);
        wanted.comp_mask = IBV_QP_INIT_ATTR_PD;
        wanted.pd = domain;
        return create_pair("ibv_create_qp", domain->context, wanted, made);
    });
}

ibv_qp* abi::create_qp_ex(ibv_context* handle, ibv_qp_init_attr_ex* initial) {
    return as_handle<ibv_qp>([&](ibv_qp*& made) { return create_pair("ibv_create_qp_ex", handle, *initial, made); });
}

SOFTNIC_EXPORT ibv_qp_ex* ibv_qp_to_qp_ex(ibv_qp* handle) {
    queue_pair& pair = queue_pair::of(handle);
    return pair.has_send_api() ? &pair : nullptr;
}

SOFTNIC_EXPORT int ibv_modify_qp(ibv_qp* handle, ibv_qp_attr* attributes, int mask) {
    return abi::as_error([&] {
        if (const int error = abi::refusal("ibv_modify_qp", handle->context); error != 0) return error;
        return queue_pair::of(handle).modify(*attributes, mask);
    });
}

SOFTNIC_EXPORT int ibv_query_qp(ibv_qp* handle, ibv_qp_attr* attributes, int, ibv_qp_init_attr* initial) {
    if (const int error = abi::refusal("ibv_query_qp", handle->context); error != 0) return error;
    queue_pair::of(handle).query(*attributes, *initial);
    handle->state = attributes->qp_state;
    return 0;
}

SOFTNIC_EXPORT int ibv_query_qp_data_in_order(ibv_qp*, ibv_wr_opcode, std::uint32_t) { return 0; }

SOFTNIC_EXPORT int ibv_destroy_qp(ibv_qp* handle) {
    queue_pair& pair = queue_pair::of(handle);
    if (const int error = planned_failure("ibv_destroy_qp"); error != 0) return error;
    if (pair.users != 0) return EBUSY;
    device_context& opened = device_context::of(handle->context);
    {
        port& attached = opened.owner.attached_port();
        const std::scoped_lock receive_lock(attached.receive_mutex);
        const std::scoped_lock transmit_lock(attached.transmit_mutex);
        pair.retire();
    }
    opened.async_events.purge([&](const ibv_async_event& event) {
        return (event.event_type == IBV_EVENT_QP_FATAL || event.event_type == IBV_EVENT_SQ_DRAINED) &&
               event.element.qp == handle;
    });
    abi::wait_for_acknowledgement(handle->mutex, handle->cond, pair.async_events_taken, handle->events_completed);
    --static_cast<protection_domain*>(handle->pd)->users;
    --pair.sends().users;
    --pair.receives().users;
    const std::scoped_lock lock(opened.objects_mutex);
    opened.pairs.erase(&pair);
    opened.queue_pairs.give_back();
    delete &pair;
    return 0;
}

int abi::post_send(ibv_qp* handle, ibv_send_wr* requests, ibv_send_wr** bad) {
    const int error = as_error([&] {
        if (const int planned = planned_failure("ibv_post_send"); planned != 0) {
            *bad = requests;
            return planned;
        }
        return queue_pair::of(handle).post_send(requests, bad);
    });
    return error;
}

int abi::post_recv(ibv_qp* handle, ibv_recv_wr* requests, ibv_recv_wr** bad) {
    if (const int planned = planned_failure("ibv_post_recv"); planned != 0) {
        *bad = requests;
        return planned;
    }
    return queue_pair::of(handle).post_receive(requests, bad);
}

// Multicast groups are for datagram queue pairs; a raw one needs a flow rule.
SOFTNIC_EXPORT int ibv_attach_mcast(ibv_qp*, const ibv_gid*, std::uint16_t) { return EINVAL; }
SOFTNIC_EXPORT int ibv_detach_mcast(ibv_qp*, const ibv_gid*, std::uint16_t) { return EINVAL; }
