// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "verbs/device.hpp"
#include "verbs/handle.hpp"

namespace verbcast::verbs {

enum class slot_status : std::uint8_t {
    received,  ///< there is a frame in it
    too_long,  ///< a frame came that has no room in it
    flushed,   ///< it was given back without a frame: the queue pair does not receive any more
    failed,    ///< and so does not the queue pair
};

/// What a device says of a slot it is done with.
struct completion {
    std::uint64_t slot = 0;
    std::uint64_t time_ns = 0;  ///< since the Unix epoch, by the device's clock; 0 without timestamps
    std::uint32_t bytes = 0;
    slot_status status = slot_status::received;
    bool checksums_good = false;  ///< the device has checked them
    bool has_grh = false;         ///< a global route header is in front (UD)
};

struct completion_queue_options {
    std::size_t entries = 0;
    bool events = true;  ///< with a completion channel; without, it can only be polled
    int vector = 0;      ///< which of the device's interrupts tells of completions
    bool timestamps = false;
};

/// A completion queue and its channel. One thread at a time.
class completion_queue {
public:
    /// Throws os_error. Without timestamps where the device has none: see timestamps().
    completion_queue(const device& owner, const completion_queue_options& options);
    ~completion_queue();
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    ibv_cq* get() const noexcept { return queue_.get(); }
    bool timestamps() const noexcept { return extended_ != nullptr; }

    /// Takes what is there, up to `out.size()`. A negative error number when the queue is dead.
    int poll(std::span<completion> out) noexcept;

    /// Asks for one event when the next completion comes. It does not tell of those that are there already:
    /// ibv_req_notify_cq(3). 0, or the error number.
    int arm() noexcept;
    /// Readable when there is an event; never blocks. -1 without a channel.
    int descriptor() const noexcept { return channel_ ? channel_->fd : -1; }
    /// Takes and acknowledges all events.
    void consume_events() noexcept;

private:
    int poll_plain(std::span<completion> out) noexcept;
    int poll_extended(std::span<completion> out) noexcept;

    // Destroyed bottom-up; destroying the queue waits for events that nobody has acknowledged.
    completion_channel channel_;
    completion_queue_handle queue_;
    ibv_cq_ex* extended_ = nullptr;
};

}  // namespace verbcast::verbs
