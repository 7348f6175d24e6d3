// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cstdint>

namespace softnic {

using counter = std::atomic<std::uint64_t>;

/// Each counter is written under one of the port's mutexes, and read at any time: no locked instruction is needed.
inline void count(counter& each, std::uint64_t frames = 1) noexcept {
    each.store(each.load(std::memory_order_relaxed) + frames, std::memory_order_relaxed);
}

/// What became of the frames that rules sent to a queue pair: `matched` is the sum of the others.
struct queue_account {
    explicit queue_account(std::uint32_t number) : queue_number(number) {}

    const std::uint32_t queue_number;
    counter matched{0};
    counter delivered{0};
    counter no_buffer{0};
    counter length_error{0};
    counter protection_error{0};
    counter not_receiving{0};  ///< the queue pair was not in RTR, RTS, SQD or SQE
    counter overrun{0};        ///< the completion queue was full

    void add(const queue_account& other) noexcept {
        for (counter queue_account::*const each :
             {&queue_account::matched, &queue_account::delivered, &queue_account::no_buffer,
              &queue_account::length_error, &queue_account::protection_error, &queue_account::not_receiving,
              &queue_account::overrun})
            count(this->*each, (other.*each).load(std::memory_order_relaxed));
    }
};

/// What became of the frames that a cable brought.
struct port_account {
    counter offered{0};
    counter lost_fault{0};
    counter lost_no_rule{0};
    counter lost_drop_rule{0};
    counter duplicated{0};
    counter reordered{0};
    counter corrupted{0};
    counter sent{0};
};

}  // namespace softnic
