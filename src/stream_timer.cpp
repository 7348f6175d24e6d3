// SPDX-License-Identifier: BSD-3-Clause
#include "src/stream_timer.hpp"

#include <algorithm>
#include <utility>

#include "src/stream_core.hpp"

namespace verbcast {
namespace {

/// Heaps are looked at four times in their age, so that they go at most a quarter late.
std::chrono::milliseconds period_of(const stream_config& config) {
    std::chrono::milliseconds period = std::chrono::milliseconds::max();
    if (config.heap_age_max) period = std::max(*config.heap_age_max / 4, std::chrono::milliseconds{1});
    if (config.idle_after) period = std::min(period, *config.idle_after);
    return period;
}

}  // namespace

stream_timer::stream_timer(stream_core& core, const stream_config& config)
    : core_(core), heap_age_max_(config.heap_age_max), idle_after_(config.idle_after), period_(period_of(config)),
      timer_(core.context()) {}

void stream_timer::start(handler_context context, stream_base::add_packet_handler&) {
    if (idle_after_) idle_check_due_ = std::chrono::steady_clock::now() + *idle_after_;
    wait(std::move(context));
}

// A timer's cancel() declares an error that it never has.
// NOLINTNEXTLINE(bugprone-exception-escape)
void stream_timer::stop() noexcept { timer_.cancel(); }

void stream_timer::wait(handler_context context) {
    timer_.expires_after(period_);
    timer_.async_wait(bind_handler(std::move(context), [this](handler_context next, stream_base::add_packet_handler&,
                                                              const boost::system::error_code& error) {
        if (error) return;
        tick(std::chrono::steady_clock::now());
        wait(std::move(next));
    }));
}

void stream_timer::tick(time_point now) {
    if (heap_age_max_) core_.age_out(now - *heap_age_max_);
    if (idle_after_ && now >= idle_check_due_) {
        idle_check_due_ = now + *idle_after_;
        core_.report_idle_groups();
    }
}

}  // namespace verbcast
