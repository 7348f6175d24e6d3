// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

namespace softnic {

/// Asks for short turns, and so for being put on soon after a wake-up: a NIC would not wait for a core either.
/// Kernels before 6.12 take no notice, and nothing depends on it.
inline void ask_for_short_turns() noexcept {
    // struct sched_attr, whose header cannot be included beside <sched.h>.
    struct {
        std::uint32_t size;
        std::uint32_t policy;
        std::uint64_t flags;
        std::int32_t nice;
        std::uint32_t priority;
        std::uint64_t runtime_ns;
        std::uint64_t deadline_ns;
        std::uint64_t period_ns;
    } attributes{};
    attributes.size = sizeof attributes;
    attributes.runtime_ns = 100'000;  // the least there is
    ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/// Starts a thread that takes no signals: they belong to the program's own threads. `name` has at most 15 characters.
template <class Function>
std::thread start_thread(const char* name, Function&& function) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    std::thread thread(std::forward<Function>(function));
    ::pthread_setname_np(thread.native_handle(), name);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace softnic
