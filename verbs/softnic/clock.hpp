// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <ctime>

namespace softnic {

inline std::uint64_t clock_ns(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// The device's clock: it counts nanoseconds, so that a tick of `hca_core_clock` is one.
inline std::uint64_t device_clock_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }

/// Read with the device's, when a frame comes: derived from it later, it would jump by what passes between two
/// readings.
inline std::uint64_t wall_clock_ns() noexcept { return clock_ns(CLOCK_REALTIME); }

}  // namespace softnic
