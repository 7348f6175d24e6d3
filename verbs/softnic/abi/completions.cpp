// SPDX-License-Identifier: BSD-3-Clause
// Completion channels, completion queues and asynchronous events.
#include "../completion_queue.hpp"
#include "../queue_pair.hpp"
#include "abi.hpp"

#include <memory>

using namespace softnic;

namespace {

constexpr std::uint64_t wc_flags_known = std::uint64_t{IBV_WC_STANDARD_FLAGS} | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
                                         IBV_WC_EX_WITH_CVLAN | IBV_WC_EX_WITH_FLOW_TAG |
                                         IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
constexpr std::uint32_t cq_flags_known = IBV_CREATE_CQ_ATTR_SINGLE_THREADED | IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;

int create_queue(const char* verb, ibv_context* handle, const ibv_cq_init_attr_ex& wanted, ibv_cq_ex*& made) {
    device_context& opened = device_context::of(handle);
    if (const int error = abi::refusal(verb, opened.owner); error != 0) return error;
    if (wanted.cqe < 1 || wanted.cqe > static_cast<std::uint32_t>(limits::completions_max)) return EINVAL;
    if (wanted.comp_vector >= static_cast<std::uint32_t>(limits::completion_vectors)) return EINVAL;
    if ((wanted.comp_mask & ~std::uint32_t{IBV_CQ_INIT_ATTR_MASK_FLAGS | IBV_CQ_INIT_ATTR_MASK_PD}) != 0) return EINVAL;
    if ((wanted.comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) != 0 && (wanted.flags & ~cq_flags_known) != 0) return EINVAL;
    if ((wanted.wc_flags & ~wc_flags_known) != 0) return EOPNOTSUPP;
    if (!opened.completion_queues.take()) return ENOMEM;
    auto* queue = new completion_queue(opened, wanted);
    if (completion_channel* channel = queue->completions_channel(); channel != nullptr) {
        const std::scoped_lock lock(channel->users_mutex);
        ++channel->refcnt;
    }
    made = queue;
    return 0;
}

bool is_queue_event(const ibv_async_event& event, const ibv_cq* queue) noexcept {
    return event.event_type == IBV_EVENT_CQ_ERR && event.element.cq == queue;
}

bool is_of_queue_pair(ibv_event_type type) noexcept {
    return type == IBV_EVENT_QP_FATAL || type == IBV_EVENT_SQ_DRAINED;
}

}  // namespace

SOFTNIC_EXPORT ibv_comp_channel* ibv_create_comp_channel(ibv_context* handle) {
    return abi::as_handle<ibv_comp_channel>([&](ibv_comp_channel*& made) {
        if (const int error = abi::refusal("ibv_create_comp_channel", handle); error != 0) return error;
        auto* channel = new completion_channel;
        channel->context = handle;
        channel->fd = channel->events.native_handle();
        channel->refcnt = 0;
        made = channel;
        return 0;
    });
}

SOFTNIC_EXPORT int ibv_destroy_comp_channel(ibv_comp_channel* handle) {
    auto* channel = static_cast<completion_channel*>(handle);
    if (const int error = planned_failure("ibv_destroy_comp_channel"); error != 0) return error;
    {
        const std::scoped_lock lock(channel->users_mutex);
        if (channel->refcnt != 0) return EBUSY;
    }
    delete channel;
    return 0;
}

SOFTNIC_EXPORT ibv_cq* ibv_create_cq(ibv_context* handle, int entries, void* user, ibv_comp_channel* channel,
                                     int vector) {
    ibv_cq_ex* made = abi::as_handle<ibv_cq_ex>([&](ibv_cq_ex*& queue) {
        if (entries < 1 || vector < 0) return EINVAL;
        ibv_cq_init_attr_ex wanted{};
        wanted.cqe = static_cast<std::uint32_t>(entries);
        wanted.cq_context = user;
        wanted.channel = channel;
        wanted.comp_vector = static_cast<std::uint32_t>(vector);
        wanted.wc_flags = IBV_WC_STANDARD_FLAGS;
        return create_queue("ibv_create_cq", handle, wanted, queue);
    });
    return reinterpret_cast<ibv_cq*>(made);
}

ibv_cq_ex* abi::create_cq_ex(ibv_context* handle, ibv_cq_init_attr_ex* initial) {
    return as_handle<ibv_cq_ex>(
        [&](ibv_cq_ex*& queue) { return create_queue("ibv_create_cq_ex", handle, *initial, queue); });
}

SOFTNIC_EXPORT int ibv_resize_cq(ibv_cq* handle, int entries) {
    return abi::as_error([&] {
        if (const int error = abi::refusal("ibv_resize_cq", handle->context); error != 0) return error;
        return completion_queue::of(handle).resize(entries);
    });
}

SOFTNIC_EXPORT int ibv_destroy_cq(ibv_cq* handle) {
    completion_queue& queue = completion_queue::of(handle);
    if (const int error = planned_failure("ibv_destroy_cq"); error != 0) return error;
    if (queue.users != 0) return EBUSY;
    completion_channel* channel = queue.completions_channel();
    if (channel != nullptr) channel->events.purge([&](const completion_queue* each) { return each == &queue; });
    device_context::of(handle->context).async_events.purge([&](const auto& event) {
        return is_queue_event(event, handle);
    });
    abi::wait_for_acknowledgement(queue.mutex, queue.cond, queue.events_taken, queue.comp_events_completed);
    abi::wait_for_acknowledgement(queue.mutex, queue.cond, queue.async_events_taken, queue.async_events_completed);
    if (channel != nullptr) {
        const std::scoped_lock lock(channel->users_mutex);
        --channel->refcnt;
    }
    device_context::of(handle->context).completion_queues.give_back();
    delete &queue;
    return 0;
}

int abi::poll_cq(ibv_cq* handle, int entries_max, ibv_wc* entries) {
    if (const int error = planned_failure("ibv_poll_cq"); error != 0) return -error;
    return completion_queue::of(handle).poll(entries_max, entries);
}

int abi::req_notify_cq(ibv_cq* handle, int solicited_only) {
    if (const int error = planned_failure("ibv_req_notify_cq"); error != 0) return error;
    completion_queue::of(handle).request_notification(solicited_only != 0);
    return 0;
}

SOFTNIC_EXPORT int ibv_get_cq_event(ibv_comp_channel* handle, ibv_cq** queue, void** user) {
    if (const int error = planned_failure("ibv_get_cq_event"); error != 0) {
        errno = error;
        return -1;
    }
    const auto taken = static_cast<completion_channel*>(handle)->events.take([](completion_queue* each) {
        ::pthread_mutex_lock(&each->mutex);
        ++each->events_taken;
        ::pthread_mutex_unlock(&each->mutex);
    });
    if (!taken) return -1;
    *queue = (*taken)->as_cq();
    *user = (*taken)->cq_context;
    return 0;
}

SOFTNIC_EXPORT void ibv_ack_cq_events(ibv_cq* handle, unsigned events) {
    ::pthread_mutex_lock(&handle->mutex);
    handle->comp_events_completed += events;
    ::pthread_cond_broadcast(&handle->cond);
    ::pthread_mutex_unlock(&handle->mutex);
}

SOFTNIC_EXPORT int ibv_get_async_event(ibv_context* handle, ibv_async_event* event) {
    if (const int error = planned_failure("ibv_get_async_event"); error != 0) {
        errno = error;
        return -1;
    }
    const auto taken = device_context::of(handle).async_events.take([](const ibv_async_event& each) {
        if (each.event_type == IBV_EVENT_CQ_ERR) {
            completion_queue& queue = completion_queue::of(each.element.cq);
            ::pthread_mutex_lock(&queue.mutex);
            ++queue.async_events_taken;
            ::pthread_mutex_unlock(&queue.mutex);
        } else if (is_of_queue_pair(each.event_type)) {
            queue_pair& pair = queue_pair::of(each.element.qp);
            ::pthread_mutex_lock(&pair.qp_base.mutex);
            ++pair.async_events_taken;
            ::pthread_mutex_unlock(&pair.qp_base.mutex);
        }
    });
    if (!taken) return -1;
    *event = *taken;
    return 0;
}

SOFTNIC_EXPORT void ibv_ack_async_event(ibv_async_event* event) {
    if (event->event_type == IBV_EVENT_CQ_ERR) {
        ibv_cq* queue = event->element.cq;
        ::pthread_mutex_lock(&queue->mutex);
        ++queue->async_events_completed;
        ::pthread_cond_broadcast(&queue->cond);
        ::pthread_mutex_unlock(&queue->mutex);
    } else if (is_of_queue_pair(event->event_type)) {
        ibv_qp* pair = event->element.qp;
        ::pthread_mutex_lock(&pair->mutex);
        ++pair->events_completed;
        ::pthread_cond_broadcast(&pair->cond);
        ::pthread_mutex_unlock(&pair->mutex);
    }
}
