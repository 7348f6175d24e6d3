// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <verbcast/heap_source.hpp>

#include "stop_signal.hpp"

namespace verbcast::tools {

/// What a heap_loop calls, all on the thread that runs it.
struct heap_loop_handlers {
    std::function<bool(const heap_ref&)> heap;  ///< false: want no more
    std::function<void()> tick = {};            ///< each `interval`
    std::chrono::milliseconds interval{1000};
    std::function<void()> interrupted;                  ///< the first SIGINT or SIGTERM: stop the stream
    std::optional<std::chrono::nanoseconds> time = {};  ///< after this long, `time_over` is called once
    std::function<void()> time_over = {};
};

/// Takes heaps from a source, with a clock and Ctrl-C beside it, on the calling thread. A second Ctrl-C ends the
/// process. Must outlive the stream whose heaps it takes.
class heap_loop {
public:
    explicit heap_loop(heap_loop_handlers handlers);

    /// Returns when the source has no more heaps, or `heap` wants no more. Passes on what a handler throws, but takes
    /// std::errc::interrupted for a signal. Once.
    void run(heap_source source);

    /// Has `function` called on the thread in run(). Any thread.
    void post(std::function<void()> function);

private:
    void take();
    void wait_tick();
    void wait_time();
    void wait_signal();
    void interrupt();
    void finish();

    // Heaps taken before the clock and signals have their turn.
    static constexpr int heaps_in_a_row_max = 256;

    std::optional<heap_source> source_;
    heap_loop_handlers handlers_;
    boost::asio::io_context context_;
    boost::asio::steady_timer ticker_{context_};
    boost::asio::steady_timer timer_{context_};
    boost::asio::signal_set signals_{context_};
    std::optional<stop_signal> interrupted_;  // in the place of signals_, which it restores
    bool finished_ = false;
};

}  // namespace verbcast::tools
