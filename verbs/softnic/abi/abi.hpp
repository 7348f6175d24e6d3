// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../context.hpp"
#include "../device.hpp"
#include "../library.hpp"

#include <infiniband/verbs.h>

#include <cerrno>
#include <new>
#include <system_error>

/// The boundary: what is exported is C, and no exception crosses it.
namespace softnic::abi {

/// Why a verb on this device has to fail before it begins: the fault script, or the device is gone.
inline int refusal(const char* verb, const device& on) noexcept {
    if (const int planned = planned_failure(verb); planned != 0) return planned;
    return on.gone() ? EIO : 0;
}

inline int refusal(const char* verb, ibv_context* on) noexcept { return refusal(verb, device_context::of(on).owner); }

/// Runs the body and turns what it throws into an errno.
template <class Body>
int as_error(Body&& body) noexcept {
    try {
        return body();
    } catch (const std::system_error& error) {
        return error.code().value();
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    } catch (...) {
        return EINVAL;
    }
}

/// For verbs that give a handle: null and errno when the body returns an error.
template <class Handle, class Body>
Handle* as_handle(Body&& body) noexcept {
    Handle* handle = nullptr;
    const int error = as_error([&] { return body(handle); });
    if (error == 0) return handle;
    errno = error;
    return nullptr;
}

/// Waits until the user has acknowledged every event of an object that he has taken.
inline void wait_for_acknowledgement(pthread_mutex_t& mutex, pthread_cond_t& condition, const std::uint32_t& taken,
                                     const std::uint32_t& completed) noexcept {
    ::pthread_mutex_lock(&mutex);
    while (taken != completed) ::pthread_cond_wait(&condition, &mutex);
    ::pthread_mutex_unlock(&mutex);
}

// Entry points that the inline functions of <infiniband/verbs.h> reach through the context.
int query_port(ibv_context* handle, std::uint8_t number, ibv_port_attr* attributes, std::size_t bytes);
int query_device_ex(ibv_context* handle, const ibv_query_device_ex_input* input, ibv_device_attr_ex* attributes,
                    std::size_t bytes);
int query_rt_values(ibv_context* handle, ibv_values_ex* values);
ibv_td* alloc_td(ibv_context* handle, ibv_td_init_attr* initial);
int dealloc_td(ibv_td* handle);
ibv_pd* alloc_parent_domain(ibv_context* handle, ibv_parent_domain_init_attr* initial);
ibv_cq_ex* create_cq_ex(ibv_context* handle, ibv_cq_init_attr_ex* initial);
int poll_cq(ibv_cq* handle, int entries_max, ibv_wc* entries);
int req_notify_cq(ibv_cq* handle, int solicited_only);
ibv_qp* create_qp_ex(ibv_context* handle, ibv_qp_init_attr_ex* initial);
int post_send(ibv_qp* handle, ibv_send_wr* requests, ibv_send_wr** bad);
int post_recv(ibv_qp* handle, ibv_recv_wr* requests, ibv_recv_wr** bad);
ibv_flow* create_flow(ibv_qp* handle, ibv_flow_attr* attributes);
int destroy_flow(ibv_flow* handle);
ibv_counters* create_counters(ibv_context* handle, ibv_counters_init_attr* initial);
int destroy_counters(ibv_counters* handle);
int attach_counters(ibv_counters* handle, ibv_counter_attach_attr* attributes, ibv_flow* flow);
int read_counters(ibv_counters* handle, std::uint64_t* values, std::uint32_t number, std::uint32_t flags);

}  // namespace softnic::abi

/// Makes a name visible outside the library.
#define SOFTNIC_EXPORT extern "C" __attribute__((visibility("default")))
