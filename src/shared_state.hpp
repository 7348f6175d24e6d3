// SPDX-License-Identifier: BSD-3-Clause
/// What outlives a stream: the lock that its handlers take to find out whether it is still there.
#pragma once

#include <memory>

#include <verbcast/stop_reason.hpp>

#include "src/sync.hpp"

namespace verbcast {

class stream_core;

/// Held by the stream and by every pending completion handler.
///
/// Whoever holds queue_mutex either stops the stream, or looks at stop_requested again after the unlock: so a mark that
/// was set while the lock was held is never lost.
class shared_state : public std::enable_shared_from_this<shared_state> {
public:
    sync::mutex queue_mutex{sync::lock_rank::queue};
    /// Guarded by queue_mutex. Null once the stream has stopped.
    stream_core* stream = nullptr;

    /// stop() sets it before it locks, and handlers stand back when they see it: std::mutex is not fair, and an io
    /// thread that unlocks and locks again would keep a stopper waiting.
    bool stop_is_requested() const noexcept { return requested_stop() != stop_reason::kind::running; }
    /// Which stop it is that is wanted; `running` when none is.
    stop_reason::kind requested_stop() const noexcept { return stop_requested_.load(std::memory_order_acquire); }

    /// stream_base::stop(); `kind` tells stop() from the destructor.
    void stop(stop_reason::kind kind) noexcept;
    /// After an unlock of queue_mutex, with nothing locked: stops the stream if that is wanted and nobody is at it.
    void look_again() noexcept;

    /// The next on the list of streams that one thread's callbacks have marked.
    std::shared_ptr<shared_state> next_marked;

private:
    void stop_and_unlock() noexcept;

    sync::atomic<stop_reason::kind> stop_requested_{stop_reason::kind::running};
};

/// Sees to the streams that callbacks on this thread have marked. With nothing locked.
void stop_marked_streams() noexcept;

}  // namespace verbcast
