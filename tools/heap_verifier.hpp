// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <verbcast/heap.hpp>

namespace verbcast::tools {

/// Checks heaps that `send --verify` made.
class heap_verifier {
public:
    /// What is wrong with the heap, in one line; none when all is well, or when there is nothing to check: an
    /// incomplete heap, or one that only says start or stop.
    std::optional<std::string> check(const heap& each);

    std::uint64_t heaps_ok() const noexcept { return heaps_ok_; }
    std::uint64_t heaps_bad() const noexcept { return heaps_bad_; }

private:
    std::uint64_t heaps_ok_ = 0;
    std::uint64_t heaps_bad_ = 0;
};

}  // namespace verbcast::tools
