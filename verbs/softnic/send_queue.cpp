// SPDX-License-Identifier: BSD-3-Clause
#include "send_queue.hpp"

#include <bit>
#include <utility>

namespace softnic {

send_request& send_queue::back() {
    // Places are numbered modulo 2^32, which a power of two divides.
    if (slots_.empty()) slots_.resize(std::bit_ceil(requests_max_));
    return slots_[posted_ & (slots_.size() - 1)];
}

std::uint32_t send_queue::cover() noexcept {
    // The request being completed has not been popped yet.
    const std::uint32_t up_to = taken_ + 1;
    return up_to - std::exchange(covered_, up_to);
}

void send_queue::reset() noexcept {
    posted_ = taken_ = covered_ = 0;
    retired.store(0);
}

}  // namespace softnic
