// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>

namespace verbcast::tools {

/// What has been counted so far.
struct traffic_counts {
    std::uint64_t packets = 0;
    std::uint64_t heaps = 0;
    std::uint64_t bytes = 0;  ///< UDP payload
};

/// Traffic over a stretch of time.
struct traffic_rates {
    double seconds = 0;  ///< since the meter's start
    double gbps = 0;     ///< of UDP payload
    double packets_per_second = 0;
    double heaps_per_second = 0;
};

/// From counters to rates. Pure.
class rate_meter {
public:
    using clock = std::chrono::steady_clock;

    explicit rate_meter(clock::time_point start) noexcept : start_(start), last_(start) {}

    /// Since the last call, or since the start.
    traffic_rates since_last(const traffic_counts& counts, clock::time_point now) noexcept;
    /// Since the start.
    traffic_rates overall(const traffic_counts& counts, clock::time_point now) const noexcept;

private:
    clock::time_point start_;
    clock::time_point last_;
    traffic_counts last_counts_;
};

}  // namespace verbcast::tools
