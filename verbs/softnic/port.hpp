// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "cable.hpp"
#include "configuration.hpp"
#include "fair_mutex.hpp"
#include "fault_script.hpp"
#include "flow_table.hpp"
#include "memory_table.hpp"
#include "queue_account.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace softnic {

class queue_pair;
struct incoming_frame;

/// The port of a device: the cable, the rules, and the two threads that make it a NIC. The delivery thread takes frames
/// off the cable and writes them into posted buffers. Sending is done by whoever posts; the service thread goes on when
/// the cable had no room, and lets further processes join a wire. The port lives as long as the process.
///
/// Lock order: receive_mutex, transmit_mutex, then the queues' own.
class port {
public:
    /// What the port tells its device.
    struct listener {
        /// Now and then, and when traffic pauses; on the delivery thread. False: not dealt with yet, ask again.
        std::function<bool()> counters_changed;
        std::function<void(ibv_event_type)> event;
    };

    port(const device_configuration& configuration, const fault_script& faults, listener tell);
    ~port();

    /// Connects the cable on the first call. Throws std::system_error.
    void plug_in();
    /// Ends both threads; nothing is delivered or sent afterwards.
    void shut_down() noexcept;

    std::size_t frame_bytes_max() const noexcept { return frame_bytes_max_; }

    /// Returns 0 or EEXIST. Frames sent after it has returned find the rule.
    int add_rule(flow_rule& rule);
    /// Once it has returned no frame is delivered by the rule.
    void remove_rule(const flow_rule& rule);

    // Under the transmit mutex.
    std::size_t send(std::span<const outgoing_frame> frames) noexcept;
    void transmit(queue_pair& pair) noexcept;
    void forget(queue_pair& pair) noexcept;

    /// Under the receive mutex, for each queue pair before anything else.
    void admit(queue_pair& pair) { pairs_.push_back(&pair); }
    /// Breaks what a fault script wants broken, of every queue pair. Takes both mutexes.
    void break_down(const breakage& what);
    /// False while a fault script has the port down.
    bool up() const noexcept { return !down_.load(std::memory_order_relaxed); }

    std::shared_ptr<queue_account> open_account(std::uint32_t queue_number);
    /// When its queue pair has gone.
    void close_account(const std::shared_ptr<queue_account>& ended) noexcept;
    /// Of the queue pairs that there are, and of those that have gone if they are kept.
    std::vector<std::shared_ptr<const queue_account>> accounts() const;
    /// What all queue pairs that there ever were have counted.
    void add_accounts_to(queue_account& sum) const noexcept;
    const port_account& account() const noexcept { return account_; }
    std::uint64_t cable_lost() const noexcept { return cable_lost_.load(std::memory_order_relaxed); }

    fair_mutex receive_mutex;
    std::mutex transmit_mutex;
    memory_table memory;  ///< changed under both mutexes

private:
    /// A frame that a script holds back.
    struct held_frame {
        std::vector<std::byte> bytes;
        std::uint64_t due;
        bool checksums_known_good;
    };

    void deliver_until_stopped();
    bool deliver_batch();
    void wait_for_traffic();
    bool take(const arrival& each, const arrivals& batch);
    bool take_with_faults(const arrival& each, const frame_layers& layers, const arrivals& batch);
    void take_corrupted(const arrival& each, const frame_layers& layers, std::uint64_t random);
    bool deliver(const arrival& each, const frame_layers& layers, const arrivals& batch,
                 const std::vector<const flow_rule*>& rules);
    void break_now(const breakage& what, std::span<queue_pair* const> pairs);
    bool lose_in_breakage();
    void hold(held_frame frame);
    void deliver_held(std::uint64_t up_to);
    void redeliver(std::span<const std::byte> frame, bool checksums_known_good);
    void serve_until_stopped();
    void serve_cable();
    void send_what_was_left();
    bool publish_counters();
    bool quiet_for(std::chrono::milliseconds limit);

    const device_configuration configuration_;
    const fault_script& faults_;
    const listener tell_;

    std::once_flag plugged_in_;
    std::unique_ptr<cable> cable_;
    std::size_t frame_bytes_max_ = 0;
    port_account account_;
    std::atomic<std::uint64_t> cable_lost_{0};
    mutable std::mutex accounts_mutex_;
    std::vector<std::shared_ptr<queue_account>> accounts_;
    queue_account gone_{0};  ///< all that have gone, unless each is kept

    // Under the receive mutex.
    flow_table rules_;
    bool listening_ = false;
    bool listening_promiscuously_ = false;
    std::uint64_t frames_matched_ = 0;
    std::deque<held_frame> held_;
    std::vector<queue_pair*> pairs_;
    std::uint64_t down_frames_ = 0;                        ///< this many frames are lost before the port is up again
    std::chrono::steady_clock::time_point quiet_since_{};  ///< of the delivery thread; zero while frames come
    std::vector<const queue_pair*> served_;

    // Under the transmit mutex.
    std::vector<queue_pair*> waiting_;  ///< in the order in which they go on; not empty: the cable had no room

    std::atomic<bool> down_{false};
    std::atomic<bool> dead_{false};  ///< the device is gone: nothing goes in or out
    std::atomic<bool> stopping_{false};
    descriptor service_wake_;
    std::thread delivery_;
    std::thread service_;
};

}  // namespace softnic
