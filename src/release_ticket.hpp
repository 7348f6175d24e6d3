// SPDX-License-Identifier: BSD-3-Clause
/// Who releases a reader: the job that the stop posted, or the destructor of the stream.
#pragma once

#include <chrono>
#include <mutex>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "src/sync.hpp"

namespace verbcast {

/// Shared by a reader's stream and its release job, and outlives both: a job that comes too late must find it.
///
/// Until the reader is released its executor has work: a reader that is parked has no operation pending, and without
/// this io_context::run() would return, and nobody would be there to resume it.
class release_ticket {
public:
    explicit release_ticket(boost::asio::io_context& executor) : work_(executor.get_executor()) {}

    /// True for exactly one caller, who then releases the reader and calls finish().
    bool claim() {
        const std::lock_guard lock(mutex_);
        if (step_ != step::open) return false;
        step_ = step::claimed;
        return true;
    }
    void finish() {
        work_.reset();  // first: whoever waits for the end may destroy the executor then
        const std::lock_guard lock(mutex_);
        step_ = step::done;
        finished_.notify_all();
    }
    void wait() {
        const std::lock_guard lock(mutex_);
        finished_.wait(mutex_, [this] { return step_ == step::done; });
    }
    bool wait_until(std::chrono::steady_clock::time_point deadline) {
        const std::lock_guard lock(mutex_);
        return finished_.wait_until(mutex_, deadline, [this] { return step_ == step::done; });
    }

private:
    enum class step { open, claimed, done };

    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    sync::mutex mutex_{sync::lock_rank::leaf};
    sync::condition finished_;
    step step_ = step::open;
};

}  // namespace verbcast
