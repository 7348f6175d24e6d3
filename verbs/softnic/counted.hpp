// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>

namespace softnic {

/// The part of each object behind a handle of the verbs that counts how many of them the process has not destroyed.
class counted {
public:
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    static std::uint64_t alive() noexcept { return objects.load(std::memory_order_relaxed); }

protected:
    counted() noexcept { objects.fetch_add(1, std::memory_order_relaxed); }
    ~counted() { objects.fetch_sub(1, std::memory_order_relaxed); }

private:
    static inline std::atomic<std::uint64_t> objects{0};  // a figure: orders nothing
};

}  // namespace softnic

/// For programs that have this library linked in, tests with sanitizers; the shared library does not show it.
extern "C" std::uint64_t softnic_objects_alive() noexcept;
