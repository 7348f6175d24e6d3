// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mutex>

namespace softnic {

/// A mutex whose waiters are served before the holder can take it again: the delivery thread takes it once a batch
/// under full load, and a verb that waits for it must not wait for a pause in the traffic.
class fair_mutex {
public:
    void lock() {
        // Whoever waits holds the gate, so a thread that has just unlocked queues up behind it.
        gate_.lock();
        work_.lock();
        gate_.unlock();
    }
    void unlock() { work_.unlock(); }

private:
    std::mutex gate_;
    std::mutex work_;
};

}  // namespace softnic
