// SPDX-License-Identifier: BSD-3-Clause
#include "pacer.hpp"

#include <algorithm>
#include <ctime>

#include <sys/prctl.h>

namespace verbcast::tools {

void pacer::sent(std::uint64_t bytes, clock::time_point now) noexcept {
    if (!gbps_) {
        due_ = now;
        return;
    }
    const double nanoseconds = static_cast<double>(bytes) * 8 / *gbps_;
    due_ += std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
    due_ = std::max(due_, now - catch_up_max);
}

void sleep_until(pacer::clock::time_point due, const std::function<bool()>& interrupted) {
    // A signal that comes between the question and the sleep does not end the sleep: so no sleep is long.
    constexpr std::chrono::milliseconds sleep_max{20};
    for (auto now = pacer::clock::now(); now < due && !interrupted(); now = pacer::clock::now()) {
        const auto until = std::min<pacer::clock::time_point>(due, now + sleep_max).time_since_epoch();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until);
        const timespec time{.tv_sec = seconds.count(), .tv_nsec = (until - seconds).count()};
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
    }
}

bool sharpen_sleeps() noexcept { return ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) == 0; }

}  // namespace verbcast::tools
