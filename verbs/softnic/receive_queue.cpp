// SPDX-License-Identifier: BSD-3-Clause
#include "receive_queue.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace softnic {

receive_queue::receive_queue(std::uint32_t requests_max, std::uint32_t entries_max)
    : requests_max_(requests_max), entries_max_(entries_max),
      slots_(requests_max == 0 ? 0 : std::bit_ceil(requests_max)), entries_(slots_.size() * entries_max) {}

int receive_queue::post(const ibv_recv_wr& wanted) noexcept {
    if (wanted.num_sge < 0 || static_cast<std::uint32_t>(wanted.num_sge) > entries_max_) return EINVAL;
    const std::scoped_lock lock(post_mutex_);
    const std::uint32_t posted = posted_.load(std::memory_order_relaxed);
    if (posted - retired.load(std::memory_order_acquire) >= requests_max_) return ENOMEM;
    const std::size_t index = posted & (slots_.size() - 1);
    slots_[index] = {wanted.wr_id, static_cast<std::uint32_t>(wanted.num_sge)};
    std::copy_n(wanted.sg_list, wanted.num_sge, entries_.begin() + static_cast<std::ptrdiff_t>(index * entries_max_));
    // Sequentially consistent against the state of the queue pair: see queue_pair::post_receive.
    posted_.store(posted + 1);
    return 0;
}

receive_queue::request receive_queue::front() const noexcept {
    const std::size_t index = taken_ & (slots_.size() - 1);
    return {slots_[index].id, {entries_.data() + index * entries_max_, slots_[index].entries}};
}

void receive_queue::reset() noexcept {
    taken_ = posted_.load();
    retired.store(taken_);
}

}  // namespace softnic
