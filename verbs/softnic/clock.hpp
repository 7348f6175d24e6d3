// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <ctime>

namespace softnic {

/// The device's clock: it counts nanoseconds, so that a tick of `hca_core_clock` is one.
inline std::uint64_t device_clock_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::uint64_t device_to_wall_ns(std::uint64_t device_ns) noexcept {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    const auto wall_ns =
        static_cast<std::uint64_t>(wall.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(wall.tv_nsec);
    return wall_ns - (device_clock_ns() - device_ns);
}

}  // namespace softnic
