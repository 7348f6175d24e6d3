// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "event_queue.hpp"
#include "limits.hpp"

#include <infiniband/verbs.h>

#include <mutex>
#include <set>

namespace softnic {

class device;
class queue_pair;
struct flow_rule;
struct memory_region;

/// An open device; the user's `ibv_context *` is the last member of the base. Lives until ibv_close_device.
class device_context : public verbs_context {
public:
    explicit device_context(device& opened);
    ~device_context();
    device_context(const device_context&) = delete;
    device_context& operator=(const device_context&) = delete;

    static device_context& of(ibv_context* handle) noexcept {
        return *static_cast<device_context*>(verbs_get_ctx(handle));
    }
    ibv_context* handle() noexcept { return &static_cast<verbs_context*>(this)->context; }

    device& owner;
    event_queue<ibv_async_event> async_events;

    // What closing has to take out of the port, under `objects_mutex`.
    std::mutex objects_mutex;
    std::set<queue_pair*> pairs;
    std::set<flow_rule*> rules;
    std::set<memory_region*> regions;
};

/// Fills the entry points that the inline functions of <infiniband/verbs.h> call through the context.
void fill_entry_points(verbs_context& verbs);

}  // namespace softnic
