// SPDX-License-Identifier: BSD-3-Clause
/// Every lock, wait, post and hand-over of src/ goes through here. A test build replaces these types by ones that a
/// deterministic scheduler drives: it then owns every point at which threads can interleave.
///
/// Lock order: queue_mutex, then reader_mutex, then one leaf. Debug builds assert it, and that no thread takes a lock
/// twice or holds two of one rank.
#pragma once

#ifdef VERBCAST_MODEL
#include "src/sync_model.hpp"
#else

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "src/thread_state.hpp"

namespace verbcast::sync {

template <class T>
using atomic = std::atomic<T>;

class mutex {
public:
    explicit mutex(lock_rank rank) noexcept : rank_(rank) {}

    void lock() {
        this_thread().assert_may_lock(rank_);
        mutex_.lock();
        this_thread().locked(rank_);
    }
    bool try_lock() {
        this_thread().assert_may_lock(rank_);
        if (!mutex_.try_lock()) return false;
        this_thread().locked(rank_);
        return true;
    }
    void unlock() {
        this_thread().unlocked(rank_);
        mutex_.unlock();
    }

private:
    friend class condition;

    std::mutex mutex_;
    lock_rank rank_;
};

/// A condition variable. The mutex is held by the caller, and again when it returns.
class condition {
public:
    template <class Predicate>
    void wait(mutex& held, Predicate ready) {
        std::unique_lock<std::mutex> lock(held.mutex_, std::adopt_lock);
        variable_.wait(lock, std::move(ready));
        lock.release();
    }
    /// What `ready` says at the end.
    template <class Predicate>
    bool wait_until(mutex& held, std::chrono::steady_clock::time_point deadline, Predicate ready) {
        std::unique_lock<std::mutex> lock(held.mutex_, std::adopt_lock);
        const bool is_ready = variable_.wait_until(lock, deadline, std::move(ready));
        lock.release();
        return is_ready;
    }
    void notify_one() noexcept { variable_.notify_one(); }
    void notify_all() noexcept { variable_.notify_all(); }

private:
    std::condition_variable variable_;
};

template <class Function>
void post(boost::asio::io_context& executor, Function&& function) {
    boost::asio::post(executor, std::forward<Function>(function));
}

}  // namespace verbcast::sync

#endif
