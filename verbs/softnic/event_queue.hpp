// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "descriptor.hpp"

#include <sys/eventfd.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>

namespace softnic {

/// Events behind a real descriptor, as the kernel's completion and asynchronous event files are: it can be polled, made
/// non-blocking, put into an edge-triggered epoll set. The descriptor counts one for each event in the queue.
/// Any thread may push and take.
template <class Event>
class event_queue {
public:
    event_queue() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)) {
        if (!descriptor_) throw std::system_error(errno, std::generic_category(), "eventfd");
    }

    int native_handle() const noexcept { return descriptor_.get(); }

    void push(const Event& event) {
        const std::scoped_lock lock(mutex_);
        events_.push_back(event);
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(descriptor_.get(), &one, sizeof one);
    }

    /// Waits for an event unless the user made the descriptor non-blocking. Nothing, with errno set, on failure.
    /// `taken` runs while the queue is still locked, so that a purge either finds the event here or finds it counted.
    template <class Taken>
    std::optional<Event> take(Taken&& taken) {
        for (;;) {
            std::uint64_t one = 0;
            if (::read(descriptor_.get(), &one, sizeof one) != sizeof one) return std::nullopt;
            const std::scoped_lock lock(mutex_);
            if (events_.empty()) continue;  // a purge took the event between the read and the lock
            Event event = events_.front();
            events_.pop_front();
            taken(event);
            return event;
        }
    }

    /// Forgets the events nobody has taken and that concern an object about to be destroyed.
    template <class Predicate>
    void purge(Predicate&& concerns) {
        const std::scoped_lock lock(mutex_);
        const auto first = std::remove_if(events_.begin(), events_.end(), concerns);
        for (auto event = first; event != events_.end(); ++event) uncount();
        events_.erase(first, events_.end());
    }

private:
    void uncount() noexcept {
        // Never blocks: another thread may have read the count of this very event and be waiting for the mutex.
        std::uint64_t one = 0;
        iovec buffer{&one, sizeof one};
        [[maybe_unused]] const ssize_t got = ::preadv2(descriptor_.get(), &buffer, 1, -1, RWF_NOWAIT);
    }

    descriptor descriptor_;
    std::mutex mutex_;
    std::deque<Event> events_;
};

}  // namespace softnic
