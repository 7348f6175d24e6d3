// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "verbs/completion_queue.hpp"
#include "verbs/registered_memory.hpp"

namespace verbcast::verbs {

/// The receive requests of a queue pair, one for each slot of its memory: made once, and posted again and again.
/// Nothing is allocated after construction. One thread at a time.
class receive_slots {
public:
    explicit receive_slots(const registered_memory& memory);

    /// Every slot, in one list. 0, or the error number.
    int post_all(ibv_qp* pair) noexcept;
    /// Those that were completed, in one list. 0, or the error number.
    int post_again(ibv_qp* pair, std::span<const completion> done) noexcept;

private:
    std::vector<ibv_sge> entries_;
    std::vector<ibv_recv_wr> requests_;
};

}  // namespace verbcast::verbs
