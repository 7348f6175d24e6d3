// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "memory_table.hpp"

#include <infiniband/verbs.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace softnic {

/// The receive requests of a queue pair: any thread posts, the holder of the port's receive mutex takes. A place is
/// free again when the request's completion has been polled, as in hardware.
class receive_queue {
public:
    receive_queue(std::uint32_t requests_max, std::uint32_t entries_max);

    /// Returns 0, EINVAL (too many entries) or ENOMEM (full).
    int post(const ibv_recv_wr& wanted) noexcept;

    struct request {
        std::uint64_t id;
        std::span<const ibv_sge> entries;
    };
    bool empty() const noexcept { return taken_ == posted_.load(std::memory_order_acquire); }
    request front() const noexcept;
    void pop() noexcept { ++taken_; }

    /// Forgets everything. Nobody posts meanwhile.
    void reset() noexcept;

    std::atomic<std::uint32_t> retired{0};

private:
    struct slot {
        std::uint64_t id = 0;
        std::uint32_t entries = 0;
    };
    const std::uint32_t requests_max_;
    const std::uint32_t entries_max_;
    std::mutex post_mutex_;
    std::vector<slot> slots_;
    std::vector<ibv_sge> entries_;
    std::atomic<std::uint32_t> posted_{0};
    std::uint32_t taken_ = 0;
};

}  // namespace softnic
