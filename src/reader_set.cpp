// SPDX-License-Identifier: BSD-3-Clause
#include "src/reader_set.hpp"

#include <mutex>
#include <utility>

namespace verbcast {

bool reader_set::add(std::unique_ptr<reader> added, role part) {
    {
        const std::lock_guard lock(reader_mutex_);
        if (stopped_) return false;
        if (!started_) {
            waiting_.emplace_back(std::move(added), part);
            return true;
        }
    }
    std::vector<waiting_reader> one;
    one.emplace_back(std::move(added), part);
    return open_and_link(std::move(one));
}

void reader_set::start() {
    std::vector<waiting_reader> waiting;
    {
        const std::lock_guard lock(reader_mutex_);
        started_ = true;
        waiting.swap(waiting_);
    }
    open_and_link(std::move(waiting));
}

/// All are linked before the first one can end: else the stream would stop with it.
bool reader_set::open_and_link(std::vector<waiting_reader> added) {
    std::vector<std::shared_ptr<release_ticket>> tickets;
    for (auto& [each, part] : added) {
        each->open();
        // Before its first batch, which goes by it. Relaxed: the post orders the two.
        if (!each->lossless()) all_lossless_.store(false, std::memory_order_relaxed);
        tickets.push_back(std::make_shared<release_ticket>(context_));
    }
    // What is not linked goes after the unlock: `added` was there before the lock.
    const std::lock_guard lock(reader_mutex_);
    if (stopped_) return false;
    readers_.reserve(readers_.size() + added.size());
    for (std::size_t i = 0; i < added.size(); ++i) {
        auto& [each, part] = added[i];
        // Nobody finds the reader before the unlock, so a post that fails leaves things as they were.
        post_start(*each);
        readers_.push_back({std::move(each), std::move(tickets[i]), part});
        inputs_running_ += part == role::input;
    }
    return true;
}

/// The first handler like any other: it finds out under queue_mutex whether the stream is still there.
void reader_set::post_start(reader& linked) {
    sync::post(context_,
               reader::bind_handler(handler_context(state_.shared_from_this()),
                                    [&linked](handler_context context, stream_base::add_packet_handler& batch) {
                                        linked.start(std::move(context), batch);
                                    }));
}

bool reader_set::end(const reader& ended) noexcept {
    const std::lock_guard lock(reader_mutex_);
    for (attached& each : readers_) {
        if (each.object.get() != &ended || each.ended) continue;
        each.ended = some_ended_ = true;
        inputs_running_ -= each.part == role::input;
    }
    return inputs_running_ == 0;
}

void reader_set::leave_ended() noexcept {
    if (!some_ended_) return;
    some_ended_ = false;
    const std::lock_guard lock(reader_mutex_);
    for (attached& each : readers_)
        if (each.ended) stop_one(each);
}

void reader_set::stop() noexcept {
    const std::lock_guard lock(reader_mutex_);
    stopped_ = true;
    for (attached& each : readers_) stop_one(each);
}

void reader_set::stop_one(attached& leaving) noexcept {
    if (std::exchange(leaving.stopped, true)) return;
    leaving.object->stop();
    post_release(leaving);
}

void reader_set::post_release(const attached& leaving) noexcept {
    try {
        sync::post(context_,
                   [this, keep = state_.shared_from_this(), ticket = leaving.ticket, released = leaving.object.get()] {
                       // Whoever did not get the ticket must touch neither this nor the reader: they may be gone.
                       if (ticket->claim()) release(*released, *ticket);
                   });
    } catch (...) {  // no memory for the job: the destructor releases the reader
    }
}

void reader_set::release(reader& released, release_ticket& ticket) noexcept {
    counters_.add_released(released.release());
    ticket.finish();
}

bool reader_set::wait_released(std::chrono::steady_clock::time_point deadline) {
    std::vector<std::shared_ptr<release_ticket>> tickets;
    {
        const std::lock_guard lock(reader_mutex_);
        if (!stopped_) return false;
        for (const attached& each : readers_) tickets.push_back(each.ticket);
    }
    for (const auto& ticket : tickets)
        if (!ticket->wait_until(deadline)) return false;
    return true;
}

void reader_set::destroy() noexcept {
    for (attached& each : readers_) {
        if (each.ticket->claim())
            release(*each.object, *each.ticket);
        else
            each.ticket->wait();
    }
    while (!readers_.empty()) readers_.pop_back();  // the latest first
    waiting_.clear();
}

}  // namespace verbcast
