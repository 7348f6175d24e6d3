// SPDX-License-Identifier: BSD-3-Clause
/// What a process holds, to be counted before and after.
#pragma once

#include <cstdint>
#include <string>

namespace verbcast::test {

struct resources {
    std::uint64_t descriptors = 0;
    std::uint64_t threads = 0;
    std::uint64_t memberships = 0;
    std::uint64_t verbs_objects = 0;  ///< of the software NIC, where that is linked in: with sanitizers
    std::uint64_t allocated_bytes = 0;
    std::uint64_t mapped_bytes = 0;  ///< 0 where a sanitizer maps memory of its own

    /// Waits a moment for threads that have been joined to be gone from /proc.
    static resources now();
    std::string text() const;
    /// What has grown beyond what caches of the C library explain, or "".
    std::string grown_since(const resources& before) const;
};

}  // namespace verbcast::test
