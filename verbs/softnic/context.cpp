// SPDX-License-Identifier: BSD-3-Clause
#include "context.hpp"

#include "abi/abi.hpp"
#include "device.hpp"
#include "queue_pair.hpp"

namespace softnic {

device_context::device_context(device& opened) : verbs_context{}, owner(opened) {
    sz = sizeof(verbs_context);
    ibv_context& seen = *handle();
    seen.device = opened.handle();
    seen.cmd_fd = -1;
    seen.async_fd = async_events.native_handle();
    seen.num_comp_vectors = limits::completion_vectors;
    seen.abi_compat = __VERBS_ABI_IS_EXTENDED;
    pthread_mutex_init(&seen.mutex, nullptr);
    fill_entry_points(*this);
    opened.opened(*this);
}

device_context::~device_context() {
    // What the user left behind stops working here, as when the kernel closes the file; the memory stays his.
    port& attached = owner.attached_port();
    for (const flow_rule* rule : rules) attached.remove_rule(*rule);
    {
        const std::scoped_lock receive_lock(attached.receive_mutex);
        const std::scoped_lock transmit_lock(attached.transmit_mutex);
        for (queue_pair* pair : pairs) pair->retire();
        for (const memory_region* region : regions) attached.memory.remove(*region);
    }
    owner.closed(*this);
    pthread_mutex_destroy(&handle()->mutex);
}

void fill_entry_points(verbs_context& verbs) {
    ibv_context_ops& operations = verbs.context.ops;
    operations.poll_cq = abi::poll_cq;
    operations.req_notify_cq = abi::req_notify_cq;
    operations.post_send = abi::post_send;
    operations.post_recv = abi::post_recv;
    operations.post_srq_recv = [](ibv_srq*, ibv_recv_wr* requests, ibv_recv_wr** bad) {
        *bad = requests;
        return EOPNOTSUPP;
    };
    verbs.query_port = abi::query_port;
    verbs.query_device_ex = abi::query_device_ex;
    verbs.query_rt_values = abi::query_rt_values;
    verbs.alloc_td = abi::alloc_td;
    verbs.dealloc_td = abi::dealloc_td;
    verbs.alloc_parent_domain = abi::alloc_parent_domain;
    verbs.create_cq_ex = abi::create_cq_ex;
    verbs.create_qp_ex = abi::create_qp_ex;
    verbs.ibv_create_flow = abi::create_flow;
    verbs.ibv_destroy_flow = abi::destroy_flow;
    verbs.create_counters = abi::create_counters;
    verbs.destroy_counters = abi::destroy_counters;
    verbs.attach_counters_point_flow = abi::attach_counters;
    verbs.read_counters = abi::read_counters;
}

}  // namespace softnic
