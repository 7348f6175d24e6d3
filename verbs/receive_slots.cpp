// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/receive_slots.hpp"

namespace verbcast::verbs {

receive_slots::receive_slots(const registered_memory& memory) : entries_(memory.slots()), requests_(memory.slots()) {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        entries_[i] = {.addr = reinterpret_cast<std::uintptr_t>(memory.slot(i)),
                       .length = static_cast<std::uint32_t>(memory.slot_bytes()),
                       .lkey = memory.local_key(i)};
        requests_[i] = {.wr_id = i, .next = nullptr, .sg_list = &entries_[i], .num_sge = 1};
    }
}

int receive_slots::post_all(ibv_qp* pair) noexcept {
    for (std::size_t i = 0; i + 1 < requests_.size(); ++i) requests_[i].next = &requests_[i + 1];
    requests_.back().next = nullptr;
    ibv_recv_wr* refused = nullptr;
    return ibv_post_recv(pair, requests_.data(), &refused);
}

int receive_slots::post_again(ibv_qp* pair, std::span<const completion> done) noexcept {
    if (done.empty()) return 0;
    for (std::size_t i = 0; i + 1 < done.size(); ++i) requests_[done[i].slot].next = &requests_[done[i + 1].slot];
    requests_[done.back().slot].next = nullptr;
    ibv_recv_wr* refused = nullptr;
    return ibv_post_recv(pair, &requests_[done.front().slot], &refused);
}

}  // namespace verbcast::verbs
