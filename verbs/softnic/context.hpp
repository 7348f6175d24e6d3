// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "counted.hpp"
#include "event_queue.hpp"
#include "limits.hpp"

#include <infiniband/verbs.h>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <set>

namespace softnic {

class device;
class queue_pair;
struct flow_rule;
struct memory_region;

/// How many objects of a kind there may be.
class quota {
public:
    explicit quota(int max) noexcept : max_(max) {}

    /// Takes one; false when all are in use.
    bool take() noexcept {
        if (used_.fetch_add(1) < max_) return true;
        give_back();
        return false;
    }
    void give_back() noexcept { used_.fetch_sub(1); }

private:
    std::atomic<int> used_{0};
    const int max_;
};

/// An open device; the user's `ibv_context *` is the last member of the base. Lives until ibv_close_device.
class device_context : public verbs_context, private counted {
public:
    explicit device_context(device& opened);
    ~device_context();
    device_context(const device_context&) = delete;
    device_context& operator=(const device_context&) = delete;

    static device_context& of(ibv_context* handle) noexcept {
        // verbs_get_ctx gives null for contexts of another kind, of which there are none.
        auto* const start = reinterpret_cast<std::byte*>(handle) - offsetof(verbs_context, context);
        return *static_cast<device_context*>(reinterpret_cast<verbs_context*>(start));
    }
    ibv_context* handle() noexcept { return &static_cast<verbs_context*>(this)->context; }

    device& owner;
    event_queue<ibv_async_event> async_events;

    // Counted for each context, so that what a program leaves behind does not count against the next.
    quota queue_pairs{limits::queue_pairs_max};
    quota completion_queues{limits::completion_queues_max};
    quota memory_regions{limits::regions_max};
    quota domains{limits::domains_max};

    // What closing has to take out of the port, under `objects_mutex`.
    std::mutex objects_mutex;
    std::set<queue_pair*> pairs;
    std::set<flow_rule*> rules;
    std::set<memory_region*> regions;
};

/// Fills the entry points that the inline functions of <infiniband/verbs.h> call through the context.
void fill_entry_points(verbs_context& verbs);

}  // namespace softnic
