// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace softnic {

/// A send request as it waits for its turn. `inlined` holds inline data, or the header of a segmented send.
struct send_request {
    std::uint64_t id = 0;
    ibv_wr_opcode opcode = IBV_WR_SEND;
    unsigned flags = 0;
    std::uint16_t segment_bytes = 0;
    std::uint32_t segments_sent = 0;
    std::vector<ibv_sge> entries;
    std::vector<std::byte> inlined;
};

/// The send requests of a queue pair, all under the port's transmit mutex. A place is free again when a completion that
/// covers it has been polled: a request without a completion is given back with the next one that has one.
class send_queue {
public:
    explicit send_queue(std::uint32_t requests_max) : requests_max_(requests_max) {}

    bool full() const noexcept { return posted_ - retired.load(std::memory_order_acquire) >= requests_max_; }
    /// The next free place, to be filled and then pushed.
    send_request& back();
    void push() noexcept { ++posted_; }

    std::uint32_t pending() const noexcept { return posted_ - taken_; }
    send_request& peek(std::uint32_t nth) noexcept { return slots_[(taken_ + nth) & (slots_.size() - 1)]; }
    void pop() noexcept { ++taken_; }
    /// Takes back what was pushed since `posted` was read.
    void rewind(std::uint32_t posted) noexcept { posted_ = posted; }
    std::uint32_t posted() const noexcept { return posted_; }

    /// The places that the completion now being made covers.
    std::uint32_t cover() noexcept;
    void reset() noexcept;

    std::atomic<std::uint32_t> retired{0};

private:
    const std::uint32_t requests_max_;
    std::vector<send_request> slots_;
    std::uint32_t posted_ = 0;
    std::uint32_t taken_ = 0;
    std::uint32_t covered_ = 0;
};

}  // namespace softnic
