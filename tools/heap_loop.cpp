// SPDX-License-Identifier: BSD-3-Clause
#include "heap_loop.hpp"

#include <csignal>
#include <system_error>
#include <utility>

#include <boost/asio/bind_executor.hpp>

namespace verbcast::tools {

heap_loop::heap_loop(heap_loop_handlers handlers) : handlers_(std::move(handlers)) {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
}

void heap_loop::run(heap_source source) {
    source_.emplace(std::move(source));
    wait_signal();
    ticker_.expires_after(handlers_.interval);
    if (handlers_.tick) wait_tick();
    if (handlers_.time) wait_time();
    take();
    try {
        context_.run();
    } catch (const std::system_error& error) {
        // A signal that comes while a handler waits for room in a pipe ends that wait: the signal is what matters.
        if (error.code() != std::errc::interrupted) throw;
        interrupt();
        finish();
    }
}

void heap_loop::post(std::function<void()> function) { boost::asio::post(context_, std::move(function)); }

void heap_loop::take() {
    for (int taken = 0; taken < heaps_in_a_row_max; ++taken) {
        const pop_result popped = source_->try_pop();
        if (popped.status == pop_status::stopped) return finish();
        if (popped.status == pop_status::empty) break;
        if (!handlers_.heap(popped.heap)) return finish();
    }
    const auto taken = [this](boost::system::error_code error, const heap_ref& heap) {
        if (finished_) return;
        // Every end of a stream comes as an error; heap_source::reason() tells them apart.
        if (error || !handlers_.heap(heap)) return finish();
        take();
    };
    source_->async_pop(boost::asio::bind_executor(context_, taken));
}

void heap_loop::wait_tick() {
    ticker_.async_wait([this](boost::system::error_code error) {
        if (error || finished_) return;
        handlers_.tick();
        // From the time it was due: ticks do not drift.
        ticker_.expires_at(ticker_.expiry() + handlers_.interval);
        wait_tick();
    });
}

void heap_loop::wait_time() {
    timer_.expires_after(*handlers_.time);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error && !finished_) handlers_.time_over();
    });
}

void heap_loop::wait_signal() {
    signals_.async_wait([this](boost::system::error_code error, int) {
        if (error || finished_) return;
        interrupt();
    });
}

void heap_loop::interrupt() {
    interrupted_.emplace(true);
    handlers_.interrupted();
}

void heap_loop::finish() {
    finished_ = true;
    ticker_.cancel();
    timer_.cancel();
    signals_.cancel();
    context_.stop();
}

}  // namespace verbcast::tools
