// SPDX-License-Identifier: BSD-3-Clause
/// The readers of a stream: linked, started, stopped, released and destroyed.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/reader.hpp>

#include "src/counters.hpp"
#include "src/release_ticket.hpp"
#include "src/shared_state.hpp"
#include "src/sync.hpp"

namespace verbcast {

class reader_set {
public:
    enum class role {
        input,       ///< the stream stops with its last one
        background,  ///< serves the stream itself, such as its timers
    };

    reader_set(shared_state& state, boost::asio::io_context& context, counters& counted, bool explicit_start) noexcept
        : state_(state), context_(context), counters_(counted), started_(!explicit_start) {}

    // Nothing locked.

    /// Opens, links and starts the reader; keeps it for start() when that is waited for. False when the stream has
    /// stopped.
    bool add(std::unique_ptr<reader> added, role part);
    void start();
    bool wait_released(std::chrono::steady_clock::time_point deadline);
    /// After stop(), on the thread that destroys the stream.
    void destroy() noexcept;

    // Under queue_mutex.

    bool all_lossless() const noexcept { return all_lossless_.load(std::memory_order_relaxed); }
    /// Marks a reader that does not go on. True when it was the last one.
    bool end(const reader& ended) noexcept;
    /// Stops and releases those that were marked.
    void leave_ended() noexcept;
    /// Stops all. None is linked after it.
    void stop() noexcept;

private:
    struct attached {
        std::unique_ptr<reader> object;
        std::shared_ptr<release_ticket> ticket;
        role part;
        bool ended = false;
        bool stopped = false;
    };

    using waiting_reader = std::pair<std::unique_ptr<reader>, role>;

    bool open_and_link(std::vector<waiting_reader> added);
    void post_start(reader& linked);
    void stop_one(attached& leaving) noexcept;
    void post_release(const attached& leaving) noexcept;
    void release(reader& released, release_ticket& ticket) noexcept;

    shared_state& state_;
    boost::asio::io_context& context_;
    counters& counters_;

    sync::atomic<bool> all_lossless_{true};
    bool some_ended_ = false;  // under queue_mutex

    mutable sync::mutex reader_mutex_{sync::lock_rank::reader};
    // Under reader_mutex_:
    std::vector<attached> readers_;
    std::vector<waiting_reader> waiting_;
    std::size_t inputs_running_ = 0;
    bool started_;
    bool stopped_ = false;
};

}  // namespace verbcast
