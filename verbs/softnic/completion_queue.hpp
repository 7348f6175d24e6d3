// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "idle_polls.hpp"
#include "objects.hpp"

#include <infiniband/verbs.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace softnic {

class device_context;

/// What a work request has become.
struct completion {
    std::uint64_t request_id = 0;
    std::uint64_t timestamp_ns = 0;
    std::uint64_t wall_ns = 0;
    ibv_wc_status status = IBV_WC_SUCCESS;
    ibv_wc_opcode opcode = IBV_WC_SEND;
    std::uint32_t bytes = 0;
    std::uint32_t queue_number = 0;
    unsigned flags = 0;
    std::uint32_t flow_tag = 0;
    std::uint16_t vlan_tag = 0;
    std::uint32_t requests = 1;                     ///< places of the work queue that polling it gives back
    std::atomic<std::uint32_t>* retired = nullptr;  ///< where they are given back
};

/// A completion queue; the user's `ibv_cq *` or `ibv_cq_ex *` is this object. Any thread may push and poll.
class completion_queue : public ibv_cq_ex, private counted {
public:
    completion_queue(device_context& owner, const ibv_cq_init_attr_ex& wanted);

    /// Adds a completion and raises the event that was asked for. False when the queue is full or broken: it is then
    /// broken for good, unless it was made to ignore overruns.
    bool push(const completion& done) noexcept;
    int poll(int entries_max, ibv_wc* entries) noexcept;
    void request_notification(bool solicited_only) noexcept;
    int resize(int entries);
    /// Breaks the queue, as an overrun does.
    void fail() noexcept;
    /// Removes the completions of a queue pair that is reset or destroyed.
    void purge(std::uint32_t queue_number) noexcept;

    bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }
    /// Writes down when the work was completed, as far as the queue was made to tell.
    void stamp(completion& done) const noexcept;
    ibv_cq* as_cq() noexcept { return reinterpret_cast<ibv_cq*>(static_cast<ibv_cq_ex*>(this)); }
    static completion_queue& of(ibv_cq* cq) noexcept {
        return *static_cast<completion_queue*>(reinterpret_cast<ibv_cq_ex*>(cq));
    }
    completion_channel* completions_channel() const noexcept { return static_cast<completion_channel*>(channel); }

    std::atomic<int> users{0};
    // Under the mutex of the structure the user sees.
    std::uint32_t events_taken = 0;
    std::uint32_t async_events_taken = 0;

private:
    enum arming : int { not_armed, for_solicited, for_any };

    void fill_iterator() noexcept;
    void break_down() noexcept;
    void drop_oldest() noexcept;
    void notify(bool solicited) noexcept;
    bool show_front() noexcept;
    void pop() noexcept;
    completion& at(std::uint64_t position) noexcept { return ring_[position & (ring_.size() - 1)]; }
    static completion_queue& of(ibv_cq_ex* cq) noexcept { return *static_cast<completion_queue*>(cq); }

    device_context& owner_;
    const std::uint64_t reported_;  ///< ibv_create_cq_wc_flags
    bool ignore_overrun_;
    bool single_threaded_;
    std::mutex producer_mutex_;
    std::mutex consumer_mutex_;
    std::vector<completion> ring_;
    alignas(64) std::atomic<std::uint64_t> head_{0};
    std::atomic<int> armed_{not_armed};
    std::atomic<bool> broken_{false};
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    idle_polls idle_polls_;
    completion current_;  ///< what the iterator of an extended queue stands on
};

}  // namespace softnic
