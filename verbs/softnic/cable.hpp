// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace softnic {

inline constexpr std::size_t gather_entries_max = 33;  // the largest list of a send request, and a segment's header

/// A frame to send: its pieces in order, all of them already checked.
struct outgoing_frame {
    std::array<iovec, gather_entries_max> pieces;
    std::uint32_t pieces_used = 0;
    std::uint32_t bytes = 0;
    bool finish_checksums = false;
    bool keep_from_self = false;  ///< a multicast frame that must not come back to this port
};

/// A frame that has come in. The bytes stay valid until the batch is released.
struct arrival {
    std::span<const std::byte> frame;
    bool checksums_known_good = false;
    std::uint64_t sequence = 0;  ///< the sender's number of it, where there is one
};

/// A batch of arrivals. A frame's bytes were whole if `*intact` still equals `intact_value` after they were read.
struct arrivals {
    std::span<const arrival> frames;
    const std::atomic<std::uint64_t>* intact = nullptr;
    std::uint64_t intact_value = 0;
};

/// What a port is plugged into. The port calls `transmit` and `wait_for_room` under its transmit mutex or from its
/// service thread alone, the receiving functions under its receive mutex where nothing else is said.
class cable {
public:
    cable() = default;
    cable(const cable&) = delete;
    cable& operator=(const cable&) = delete;
    virtual ~cable() = default;

    /// The largest frame, without its check sequence.
    virtual std::size_t frame_bytes_max() const noexcept = 0;
    /// Sends the frames in order and says how many went out. Fewer than all: there is no room at the moment.
    virtual std::size_t transmit(std::span<const outgoing_frame> frames) noexcept = 0;
    /// Waits for room for a frame of the largest size; may come back early.
    virtual void wait_for_room() noexcept = 0;

    /// From its return on, every frame that is sent arrives.
    virtual void listen(bool promiscuous) = 0;
    virtual void deafen() noexcept = 0;
    virtual arrivals poll() noexcept = 0;
    /// Gives the batch back; the first `frames_taken` have been dealt with, the others were not intact.
    virtual void release(std::size_t frames_taken) noexcept = 0;
    /// Under the receive mutex, before a wait: false when there is something to poll.
    virtual bool prepare_to_wait() noexcept = 0;
    /// Without it: sleeps until there may be something to poll, `wake` was called since the preparation, or the time is
    /// over. Any thread may call `wake`.
    virtual void wait_for_arrivals(std::chrono::milliseconds limit) noexcept = 0;
    virtual void wake() noexcept = 0;

    /// Frames that were on the cable for this port and did not reach it, since it was plugged in.
    virtual std::uint64_t frames_lost() noexcept = 0;

    /// A descriptor that becomes readable when `serve` has something to do, or -1.
    virtual int service_descriptor() const noexcept = 0;
    virtual void serve() noexcept = 0;
    virtual bool link_up() const noexcept = 0;
};

}  // namespace softnic
