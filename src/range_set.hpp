// SPDX-License-Identifier: BSD-3-Clause
/// The received parts of a heap that is built out of order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>

#include <verbcast/account.hpp>

namespace verbcast {

/// Disjoint ranges of bytes; neighbours are merged. Adding costs O(log n), and O(1) without an allocation when it
/// continues the range that was added to last, as nearly all packets do.
class range_set {
public:
    using map = std::pmr::map<std::uint64_t, std::uint64_t>;  // from a range's first byte to the one after its last

    explicit range_set(std::pmr::memory_resource* nodes) : ranges_(nodes), last_(ranges_.end()) {}

    /// Why the range is not added, if it is not. An empty range may lie anywhere but inside another or at its start.
    std::optional<reject_reason> add(std::uint64_t first, std::uint64_t end, std::size_t ranges_max);
    /// The same for a range that continues the one added to last, and joins no other; false, with nothing added, if
    /// not.
    bool add_behind_last(std::uint64_t first, std::uint64_t end) noexcept {
        if (!continues_last(first, end)) return false;
        last_->second = end;
        return true;
    }
    void clear() noexcept {
        ranges_.clear();
        last_ = ranges_.end();
    }
    const map& ranges() const noexcept { return ranges_; }

private:
    bool continues_last(std::uint64_t first, std::uint64_t end) const noexcept;

    map ranges_;
    map::iterator last_;
};

}  // namespace verbcast
