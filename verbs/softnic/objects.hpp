// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "counted.hpp"
#include "event_queue.hpp"

#include <infiniband/verbs.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

/// The small objects behind the handles of the verbs. Each derives from the structure the user sees, so that handle and
/// object are the same address; `users` counts what would make destroying it EBUSY.
namespace softnic {

class completion_queue;

struct protection_domain : ibv_pd, counted {
    const ibv_pd* root = nullptr;  ///< the domain a parent domain was made from; itself otherwise
    protection_domain* parent_of = nullptr;
    struct thread_domain* thread = nullptr;
    std::atomic<int> users{0};
};

inline const ibv_pd* root_of(const ibv_pd* domain) noexcept {
    return static_cast<const protection_domain*>(domain)->root;
}

struct thread_domain : ibv_td, counted {
    std::atomic<int> users{0};
};

struct completion_channel : ibv_comp_channel, counted {
    event_queue<completion_queue*> events;
    std::mutex users_mutex;
};

/// Counts the frames of every rule it is bound to, and shows them at the places the user chose.
struct counter_set : ibv_counters, counted {
    struct point {
        ibv_counter_description what;
        std::uint32_t index;
    };
    std::mutex mutex;
    std::vector<point> points;
    std::atomic<int> users{0};
    std::atomic<std::uint64_t> frames{0};
    std::atomic<std::uint64_t> bytes{0};
};

}  // namespace softnic
