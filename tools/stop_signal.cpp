// SPDX-License-Identifier: BSD-3-Clause
#include "stop_signal.hpp"

#include <atomic>
#include <cassert>
#include <cstdint>
#include <ctime>

namespace verbcast::tools {
namespace {

constexpr std::int64_t same_ns = 500'000'000;

/// When the first one came, on the monotonic clock; 0 before.
std::atomic<std::int64_t> first_ns{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler may use it");

std::int64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);  // async-signal-safe: signal-safety(7)
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

void take(int signal) {
    const std::int64_t now = now_ns();
    std::int64_t first = 0;
    if (first_ns.compare_exchange_strong(first, now) || now - first < same_ns) return;
    std::signal(signal, SIG_DFL);
    static_cast<void>(std::raise(signal));
}

}  // namespace

stop_signal::stop_signal(bool first_has_come) {
    first_ns = first_has_come ? now_ns() : 0;
    struct sigaction action {};
    action.sa_handler = take;
    // Else not SA_RESTART: a sleep or a send must end.
    action.sa_flags = first_has_come ? static_cast<int>(SA_RESTART) : 0;
    [[maybe_unused]] const int first = ::sigaction(SIGINT, &action, &before_int_);
    [[maybe_unused]] const int second = ::sigaction(SIGTERM, &action, &before_term_);
    assert(first == 0 && second == 0);
}

stop_signal::~stop_signal() {
    ::sigaction(SIGINT, &before_int_, nullptr);
    ::sigaction(SIGTERM, &before_term_, nullptr);
}

bool stop_signal::received() const noexcept { return first_ns != 0; }

}  // namespace verbcast::tools
