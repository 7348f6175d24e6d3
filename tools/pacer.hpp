// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace verbcast::tools {

/// When the next burst may go, so that the average holds: each burst moves an absolute deadline on, however late it was
/// sent. Pure; one thread.
class pacer {
public:
    using clock = std::chrono::steady_clock;

    /// After a delay the schedule is caught up with, at most this much of it: a receiver's buffer must take what comes
    /// faster.
    static constexpr std::chrono::milliseconds catch_up_max{10};

    /// Absent: as fast as it goes.
    pacer(std::optional<double> gbps, clock::time_point start) noexcept : gbps_(gbps), due_(start) {}

    /// `bytes` of UDP payload were sent.
    void sent(std::uint64_t bytes, clock::time_point now) noexcept;
    clock::time_point due() const noexcept { return due_; }

private:
    std::optional<double> gbps_;
    clock::time_point due_;
};

/// Sleeps until `due`, or some milliseconds after `interrupted` turned true.
void sleep_until(pacer::clock::time_point due, const std::function<bool()>& interrupted);

/// Lets sleeps of the calling thread end when they should, not up to 50 us later. True when the kernel agreed.
bool sharpen_sleeps() noexcept;

}  // namespace verbcast::tools
