// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

namespace softnic {

/// Counts polls that found nothing. A NIC goes on while a program polls in a tight loop; here the thread that delivers
/// needs a core, and on a small machine the loop would keep it.
class idle_polls {
public:
    void give_way() noexcept {
        constexpr std::uint32_t polls_a_turn = 32;
        const std::uint32_t polls = polls_.load(std::memory_order_relaxed) + 1;
        polls_.store(polls, std::memory_order_relaxed);
        if (polls % polls_a_turn == 0) ::sched_yield();
    }

private:
    std::atomic<std::uint32_t> polls_{0};  // inexact when several threads poll, which does no harm
};

}  // namespace softnic
