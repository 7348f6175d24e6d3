// SPDX-License-Identifier: BSD-3-Clause
/// Where the payloads of heaps live unless the user says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>
#include <vector>

#include "src/sync.hpp"

namespace verbcast {

/// Payloads begin on a cache line.
inline constexpr std::size_t payload_alignment = 64;

/// Keeps large blocks of finished heaps for the next ones of the same size: a stream's heaps are alike, and pages that
/// were touched before cost nothing. Small blocks are malloc's affair. Thread-safe.
class heap_memory final : public std::pmr::memory_resource {
public:
    /// Holds on to at most `kept_bytes_max` of free blocks. With `node` large blocks lie on that NUMA node.
    explicit heap_memory(std::uint64_t kept_bytes_max, std::optional<int> node = {}) noexcept
        : kept_bytes_max_(kept_bytes_max), node_(node) {}
    ~heap_memory() override;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

    void* make(std::size_t bytes) const;
    void give_back(void* block, std::size_t bytes) const noexcept;
    void* take(std::size_t bytes) noexcept;
    bool keep(void* block, std::size_t bytes) noexcept;
    void give_back_other_than(std::size_t wanted_bytes) noexcept;

    sync::mutex mutex_{sync::lock_rank::leaf};
    std::map<std::size_t, std::vector<void*>> kept_;
    std::uint64_t kept_bytes_ = 0;
    const std::uint64_t kept_bytes_max_;
    const std::optional<int> node_;
};

}  // namespace verbcast
