// SPDX-License-Identifier: BSD-3-Clause
/// The real threads that virtual threads run on, kept from run to run: starting them would cost more than a run.
#pragma once

#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace verbcast::explorer {

class worker {
public:
    using job = void (*)(void* of_thread);

    worker() : thread_([this] { work(); }) {}
    ~worker() {
        job_ = nullptr;
        turn_.release();
        thread_.join();
    }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// What the next turn begins.
    void assign(job what, void* of_thread) noexcept {
        job_ = what;
        of_thread_ = of_thread;
    }
    void give_turn() { turn_.release(); }
    void wait_for_turn() { turn_.acquire(); }

private:
    void work() {
        for (;;) {
            wait_for_turn();
            if (job_ == nullptr) return;
            // Whoever gets the turn from the job may assign the next one: nothing of this one is touched after it.
            job_(of_thread_);
        }
    }

    std::binary_semaphore turn_{0};
    job job_ = nullptr;
    void* of_thread_ = nullptr;
    std::thread thread_;
};

/// Used by one scheduler after the other.
class worker_pool {
public:
    std::unique_ptr<worker> take() {
        if (free_.empty()) return std::make_unique<worker>();
        std::unique_ptr<worker> taken = std::move(free_.back());
        free_.pop_back();
        return taken;
    }
    void give_back(std::unique_ptr<worker> free) { free_.push_back(std::move(free)); }

    /// The turn of the thread that is not virtual. Here and not in the scheduler, which ends with that turn.
    void give_turn() { turn_.release(); }
    void wait_for_turn() { turn_.acquire(); }

private:
    std::vector<std::unique_ptr<worker>> free_;
    std::binary_semaphore turn_{0};
};

}  // namespace verbcast::explorer
