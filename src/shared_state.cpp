// SPDX-License-Identifier: BSD-3-Clause
#include "src/shared_state.hpp"

#include <utility>

#include "src/stream_core.hpp"

namespace verbcast {

void shared_state::stop(stop_reason::kind kind) noexcept {
    const bool was_requested = stop_requested_.exchange(kind, std::memory_order_acq_rel) != stop_reason::kind::running;
    sync::thread_state& thread = sync::this_thread();
    if (thread.in_batch_of) {
        // In a callback. Whoever set the flag first sees to the stop: here that is the end of this batch when the
        // stream is its own, else this thread when it has given up the lock it holds. No thread holds two.
        if (!was_requested && thread.in_batch_of != this) {
            next_marked = std::move(thread.marked);
            thread.marked = shared_from_this();
        }
        return;
    }
    queue_mutex.lock();
    stop_and_unlock();
    stop_marked_streams();
}

void shared_state::look_again() noexcept {
    // A read-modify-write, so that it comes either after the one in stop(), and sees the flag, or before it: then the
    // unlock before this does too, and the try_lock after that one does not fail on account of this thread.
    stop_reason::kind expected = stop_reason::kind::running;
    if (stop_requested_.compare_exchange_strong(expected, expected, std::memory_order_acq_rel)) return;
    if (!queue_mutex.try_lock()) return;  // its holder stops the stream, or comes here after its own unlock
    stop_and_unlock();
}

void shared_state::stop_and_unlock() noexcept {
    // The last callbacks are callbacks too: a stop() that one of them calls must only mark.
    sync::this_thread().in_batch_of = this;
    if (stream) stream->stop_locked({.what = requested_stop()});
    sync::this_thread().in_batch_of = nullptr;
    queue_mutex.unlock();
}

void stop_marked_streams() noexcept {
    sync::thread_state& thread = sync::this_thread();
    while (thread.marked) {
        const std::shared_ptr<shared_state> marked = std::move(thread.marked);
        thread.marked = std::move(marked->next_marked);
        marked->look_again();
    }
}

}  // namespace verbcast
