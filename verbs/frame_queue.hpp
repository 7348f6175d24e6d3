// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verbs/completion_queue.hpp"
#include "verbs/datagram_sorter.hpp"
#include "verbs/device.hpp"
#include "verbs/flow_rule.hpp"
#include "verbs/frame_sorter.hpp"
#include "verbs/group_attachments.hpp"
#include "verbs/membership.hpp"
#include "verbs/raw_queue_pair.hpp"
#include "verbs/receive_slots.hpp"
#include "verbs/registered_memory.hpp"

namespace verbcast::verbs {

struct frame_queue_options {
    std::uint64_t buffer_bytes = 0;
    std::size_t datagram_bytes_max = 0;  ///< UDP payload
    bool events = true;
    int vector = 0;
    bool timestamps = true;
    std::uint16_t priority = 0;
    /// Of a datagram queue pair (UD), in place of a raw one.
    std::optional<std::uint32_t> datagram_key = {};
};

/// The frames of some groups, straight from a NIC: a raw queue pair with a steering rule for each group, or a datagram
/// queue pair that is attached to each; and membership in them. Built in the order of its members, and torn down in
/// reverse.
///
/// Poll, work on done(), recycle; frames lie in their slots until they are recycled. One thread at a time. Nothing is
/// allocated between construction and release().
class frame_queue {
public:
    /// Receives from the moment it is made. Throws os_error.
    frame_queue(device owner, const frame_queue_options& options, std::span<const flow_match> matches);
    /// Nothing is in flight to the memory any more when it returns. Waits for the device, 100 ms at most.
    ~frame_queue();
    frame_queue(const frame_queue&) = delete;
    frame_queue& operator=(const frame_queue&) = delete;

    const device& owner() const noexcept { return device_; }
    std::size_t slots() const noexcept { return memory_.slots(); }
    std::size_t slot_bytes() const noexcept { return memory_.slot_bytes(); }
    /// Of a datagram queue pair: groups.
    std::size_t rules() const noexcept { return rules_count_; }
    bool timestamps() const noexcept { return completions_.timestamps(); }

    /// How many slots the device is done with; see done(). What was there before is recycled or lost. A negative error
    /// number when the completion queue is dead.
    int poll() noexcept;
    std::span<const completion> done() const noexcept { return std::span(done_).first(done_count_); }
    /// Of a completion that succeeded.
    sorted_frame sort(const completion& each, checksum_check checksums) noexcept {
        const std::span<const std::byte> frame{memory_.slot(each.slot), each.bytes};
        if (!options_.datagram_key) return sorter_.sort(frame, checksums);
        return each.has_grh ? datagrams_.sort(frame) : sorted_frame{};  // RoCE never leaves it out
    }
    void prefetch(const completion& each) const noexcept { __builtin_prefetch(memory_.slot(each.slot)); }
    /// Gives the slots of done() back to the device. 0, or the error number.
    int recycle() noexcept;

    /// Readable when there is an event; -1 without them.
    int descriptor() const noexcept { return completions_.descriptor(); }
    int arm() noexcept { return completions_.arm(); }
    void consume_events() noexcept { completions_.consume_events(); }

    /// Whether the queue pair has broken down.
    bool is_dead() const noexcept { return in_error(pair_.get()); }
    /// Brings a queue pair that has broken down back to life, with all its slots. After done() is finished with. 0, or
    /// the error number.
    int revive() noexcept;

    /// Frames the rule matched so far; absent where the device does not count them.
    std::optional<std::uint64_t> frames_matched(std::size_t rule) const noexcept {
        return rule < rules_.size() ? rules_[rule].frames_matched() : std::nullopt;
    }

    /// Ends reception: no membership, no rule, no receive. What has arrived can still be polled, until it comes back
    /// flushed.
    void end_reception() noexcept;
    /// Slots that the device holds.
    std::size_t posted() const noexcept { return posted_; }

private:
    static constexpr std::size_t batch_slots = 64;

    void steer(const flow_match& match);
    void refuse_long_datagrams() noexcept;

    const frame_queue_options options_;
    const std::size_t rules_count_;

    // Destroyed bottom-up: membership and rules end the traffic, the queue pair ends DMA, then the memory may go.
    device device_;
    protection_domain domain_;
    registered_memory memory_;
    completion_queue completions_;
    queue_pair pair_;
    receive_slots receives_;
    std::vector<flow_rule> rules_;
    group_attachments attachments_;
    membership membership_;

    frame_sorter sorter_;
    datagram_sorter datagrams_;
    std::array<completion, batch_slots> done_;
    std::size_t done_count_ = 0;
    std::size_t posted_ = 0;
};

}  // namespace verbcast::verbs
