// SPDX-License-Identifier: BSD-3-Clause
/// What is noted of each thread: the locks it holds, and the batch it is in.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>

namespace verbcast {

class shared_state;

namespace sync {

enum class lock_rank : std::uint8_t { queue, reader, leaf };

class thread_state {
public:
    /// The stream whose lock this thread holds, or null: then it is outside of all callbacks that run under one.
    shared_state* in_batch_of = nullptr;
    /// Streams that a callback on this thread has marked to be stopped, to be seen to after the unlock: a list through
    /// shared_state::next_marked.
    std::shared_ptr<shared_state> marked;

#ifdef NDEBUG
    void assert_may_lock(lock_rank) const noexcept {}
    void locked(lock_rank) noexcept {}
    void unlocked(lock_rank) noexcept {}
#else
    void assert_may_lock(lock_rank rank) const noexcept {
        assert((held_ >> static_cast<unsigned>(rank)) == 0 && "lock order: queue_mutex, reader_mutex, one leaf");
    }
    void locked(lock_rank rank) noexcept { held_ |= 1U << static_cast<unsigned>(rank); }
    void unlocked(lock_rank rank) noexcept { held_ &= ~(1U << static_cast<unsigned>(rank)); }

private:
    unsigned held_ = 0;
#endif
};

/// This thread's.
thread_state& this_thread() noexcept;

}  // namespace sync
}  // namespace verbcast
