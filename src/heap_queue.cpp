// SPDX-License-Identifier: BSD-3-Clause
#include "src/heap_queue.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <memory_resource>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/error.hpp>

namespace verbcast {

/// A reader that waits for room, and the memory that the post of its continuation takes: where there was some to park,
/// there is some to go on.
struct heap_queue::parked_reader {
    parked_reader(boost::asio::io_context& runs_it, std::unique_ptr<parked_handler> next)
        : executor(runs_it), handler(std::move(next)) {}

    /// Once.
    static void resume(std::shared_ptr<parked_reader> parked) noexcept;

    boost::asio::io_context& executor;
    std::unique_ptr<parked_handler> handler;
    alignas(std::max_align_t) std::array<std::byte, 192> post;
    std::pmr::monotonic_buffer_resource memory{post.data(), post.size()};  // grows should an Asio need more
};

void heap_queue::parked_reader::resume(std::shared_ptr<parked_reader> parked) noexcept {
    boost::asio::io_context& on = parked->executor;
    const std::pmr::polymorphic_allocator<> memory(&parked->memory);
    sync::post(on, boost::asio::bind_allocator(memory, [parked = std::move(parked)] {
                   const auto next = std::move(parked->handler);  // ends here, and not with the pop
                   next->run();
               }));
}

heap_queue::heap_queue(std::size_t capacity, std::size_t reserve)
    : ring_(capacity + reserve), capacity_(capacity), reserve_(reserve) {}

heap_queue::~heap_queue() = default;

bool heap_queue::full() noexcept { return ring_.size() >= capacity_ || !ring_.has_room_for(reserve_); }

bool heap_queue::push(heap_ref&& heap) {
    if (!ring_.try_push(std::move(heap))) return false;
    if (consumers_waiting_.load(std::memory_order_seq_cst) != 0) wake_consumers();
    return true;
}

void heap_queue::wake_consumers() {
    waiting_pops served;
    {
        const std::lock_guard lock(mutex_);
        served.swap(unposted_);
        while (!waiters_.empty()) {
            heap_ref next = take();
            if (!next) break;
            waiters_.front().waiter->set_result({}, std::move(next));
            served.splice(served.end(), waiters_, waiters_.begin());
            consumers_waiting_.fetch_sub(1, std::memory_order_relaxed);  // under mutex_, as the announcements are
        }
        update_descriptor();
        changed_.notify_all();
    }
    complete(served);
}

/// With nothing locked. Each of them belongs to this thread alone.
void heap_queue::complete(waiting_pops& served) noexcept {
    for (auto each = served.begin(); each != served.end();) {
        try {
            each->waiter->complete();
            each = served.erase(each);
        } catch (const std::bad_alloc&) {
            ++each;
        }
    }
    if (served.empty()) return;
    const std::lock_guard lock(mutex_);
    unposted_.splice(unposted_.end(), served);
}

/// Takes a heap and counts it. The caller sees to parked readers.
heap_ref heap_queue::take() {
    heap_ref taken = ring_.try_pop();
    if (taken) count_pop(*taken);
    return taken;
}

void heap_queue::count_pop(const heap& popped) noexcept {
    auto& count = popped.status() == heap_status::incomplete ? popped_incomplete_ : popped_complete_;
    count.fetch_add(popped.packets(), std::memory_order_relaxed);  // a figure: orders nothing
}

heap_outlet::pops heap_queue::popped() const noexcept {
    return {popped_complete_.load(std::memory_order_relaxed), popped_incomplete_.load(std::memory_order_relaxed)};
}

pop_result heap_queue::try_pop() {
    const bool was_closed = closed_.load(std::memory_order_acquire);  // before the look: nothing is pushed after it
    heap_ref taken = take();
    if (!taken) return {was_closed ? pop_status::stopped : pop_status::empty, {}};
    if (readers_parked_.load(std::memory_order_seq_cst)) resume_readers();
    if (consumers_waiting_.load(std::memory_order_seq_cst) != 0) {
        const std::lock_guard lock(mutex_);
        update_descriptor();
    }
    return {pop_status::ok, std::move(taken)};
}

pop_result heap_queue::pop() { return pop_until(std::chrono::steady_clock::time_point::max()); }

pop_result heap_queue::pop_until(std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        pop_result result = try_pop();
        if (result.status != pop_status::empty) return result;
        const std::lock_guard lock(mutex_);
        consumers_waiting_.fetch_add(1, std::memory_order_seq_cst);
        const auto worth_a_look = [this] { return ring_.size() != 0 || closed_.load(std::memory_order_acquire); };
        bool look = true;
        if (deadline == std::chrono::steady_clock::time_point::max())
            changed_.wait(mutex_, worth_a_look);
        else
            look = changed_.wait_until(mutex_, deadline, worth_a_look);
        consumers_waiting_.fetch_sub(1, std::memory_order_relaxed);
        if (!look) return {};
    }
}

std::uint64_t heap_queue::start_wait(std::unique_ptr<pop_waiter> waiter) {
    waiting_pops served;
    served.push_back({0, std::move(waiter)});
    waiting_pop& mine = served.front();
    bool took = false;
    {
        const std::lock_guard lock(mutex_);
        consumers_waiting_.fetch_add(1, std::memory_order_seq_cst);
        const bool was_closed = closed_.load(std::memory_order_acquire);
        heap_ref taken = take();
        took = static_cast<bool>(taken);
        if (!took && !was_closed) {
            mine.number = ++waiters_so_far_;
            waiters_.splice(waiters_.end(), served);
            return waiters_so_far_;
        }
        consumers_waiting_.fetch_sub(1, std::memory_order_relaxed);
        mine.waiter->set_result(took ? boost::system::error_code() : end_code(), std::move(taken));
        update_descriptor();
    }
    if (took && readers_parked_.load(std::memory_order_seq_cst)) resume_readers();
    complete(served);
    return 0;
}

void heap_queue::cancel_wait(std::uint64_t number) {
    waiting_pops cancelled;
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(waiters_.begin(), waiters_.end(),
                                        [number](const waiting_pop& each) { return each.number == number; });
        if (found == waiters_.end()) return;  // it was served
        found->waiter->set_result(boost::asio::error::operation_aborted, {});
        cancelled.splice(cancelled.end(), waiters_, found);
        consumers_waiting_.fetch_sub(1, std::memory_order_relaxed);
    }
    complete(cancelled);
}

int heap_queue::descriptor() {
    const std::lock_guard lock(mutex_);
    const bool first = !event_.is_open();
    const int opened = event_.open();
    if (first) consumers_waiting_.fetch_add(1, std::memory_order_seq_cst);
    update_descriptor();
    return opened;
}

/// Under mutex_. Both ends come here after what they did to the ring, so that the last one sees it as it is.
void heap_queue::update_descriptor() noexcept {
    event_.set_readable(ring_.size() != 0 || closed_.load(std::memory_order_relaxed));
}

void heap_queue::park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked) {
    auto reader = std::make_shared<parked_reader>(executor, std::move(parked));
    {
        const std::lock_guard lock(mutex_);
        if (closed_.load(std::memory_order_relaxed)) return;
        readers_parked_.store(true, std::memory_order_seq_cst);
        if (full()) {
            parked_.push_back(std::move(reader));
            return;
        }
    }
    parked_reader::resume(std::move(reader));
}

/// After a pop. Takes what is parked, so that nobody else does, and posts it with nothing locked.
void heap_queue::resume_readers() noexcept {
    std::vector<std::shared_ptr<parked_reader>> resumed;
    {
        const std::lock_guard lock(mutex_);
        resumed.swap(parked_);
        readers_parked_.store(false, std::memory_order_relaxed);
        ++resuming_;
    }
    for (std::shared_ptr<parked_reader>& each : resumed) parked_reader::resume(std::move(each));
    const std::lock_guard lock(mutex_);
    --resuming_;
    changed_.notify_all();
}

void heap_queue::wait_for_resumptions() noexcept {
    waiting_pops served;
    {
        const std::lock_guard lock(mutex_);
        changed_.wait(mutex_, [this] { return resuming_ == 0; });
        served.swap(unposted_);
    }
    complete(served);
}

void heap_queue::close(const stop_reason& why) noexcept {
    std::vector<std::shared_ptr<parked_reader>> dropped;
    waiting_pops ended;
    {
        const std::lock_guard lock(mutex_);
        assert(!closed_.load(std::memory_order_relaxed) && "a ring closes once");
        reason_ = why.copy();
        closed_.store(true, std::memory_order_release);
        dropped.swap(parked_);
        readers_parked_.store(false, std::memory_order_relaxed);
        ended.swap(waiters_);  // they wait because the ring is empty
        for (waiting_pop& each : ended) each.waiter->set_result(end_code(), {});
        consumers_waiting_.fetch_sub(static_cast<std::uint32_t>(ended.size()), std::memory_order_relaxed);
        update_descriptor();
        changed_.notify_all();
    }
    complete(ended);
}

stop_reason heap_queue::reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

/// What an asynchronous pop is told at the end: see heap_source::async_pop().
boost::system::error_code heap_queue::end_code() const {
    if (reason_.what == stop_reason::kind::destroyed) return boost::asio::error::operation_aborted;
    if (!reason_.failed()) return boost::asio::error::eof;
    try {
        reason_.rethrow_if_failed();
    } catch (const std::system_error& error) {
        return error.code();
    } catch (...) {  // has no code of its own
    }
    return make_error_code(boost::system::errc::io_error);
}

// heap_source

pop_result heap_source::pop() { return queue_->pop(); }
pop_result heap_source::try_pop() { return queue_->try_pop(); }
pop_result heap_source::pop_for(std::chrono::nanoseconds patience) {
    const auto now = std::chrono::steady_clock::now();
    const bool for_ever = patience > std::chrono::steady_clock::time_point::max() - now;
    return for_ever ? pop() : queue_->pop_until(now + patience);
}
int heap_source::descriptor() { return queue_->descriptor(); }
std::size_t heap_source::size() const noexcept { return queue_->size(); }
std::size_t heap_source::capacity() const noexcept { return queue_->capacity(); }
stop_reason heap_source::reason() const { return queue_->reason(); }

std::uint64_t heap_source::start_wait(std::unique_ptr<pop_waiter> waiter) {
    return queue_->start_wait(std::move(waiter));
}

void heap_source::cancel_wait(const std::weak_ptr<heap_queue>& queue, std::uint64_t number) {
    if (const auto alive = queue.lock()) alive->cancel_wait(number);
}

heap_source::iterator heap_source::begin() { return iterator(*this); }

heap_source::iterator::iterator(heap_source source) : source_(std::move(source)) { ++*this; }

heap_source::iterator& heap_source::iterator::operator++() {
    pop_result next = source_.pop();
    if (!next) source_.reason().rethrow_if_failed();
    current_ = std::move(next.heap);
    return *this;
}

}  // namespace verbcast
