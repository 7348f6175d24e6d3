// SPDX-License-Identifier: BSD-3-Clause
/// The ring of a ring_stream, with all that wait at either end of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/add_packet_handler.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/heap_source.hpp>
#include <verbcast/stop_reason.hpp>

#include "src/event_descriptor.hpp"
#include "src/heap_outlet.hpp"
#include "src/heap_ring.hpp"
#include "src/sync.hpp"

namespace verbcast {

/// Held by the stream, which pushes under its lock, and by every heap_source.
///
/// Nobody who waits is forgotten: a consumer first announces itself in consumers_waiting_ and then looks at the ring; a
/// push first fills the ring and then looks at consumers_waiting_. The same holds for readers that park, and for pops.
class heap_queue {
public:
    /// `capacity` heaps make it full; `reserve` more have a place all the same.
    heap_queue(std::size_t capacity, std::size_t reserve);
    ~heap_queue();

    // Under the stream's lock: one thread at a time.

    bool full() noexcept;
    /// False when there is no place, not even in reserve; `heap` is then left as it was.
    bool push(heap_ref&& heap);
    /// Keeps a reader's continuation until there is room. Posts it at once when there is, drops it when it is closed.
    void park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked);
    /// No push comes after it. Once.
    void close(const stop_reason& why) noexcept;

    // Any thread.

    pop_result pop();
    pop_result try_pop();
    pop_result pop_until(std::chrono::steady_clock::time_point deadline);
    std::uint64_t start_wait(std::unique_ptr<pop_waiter> waiter);
    void cancel_wait(std::uint64_t number);
    int descriptor();
    std::size_t size() const noexcept { return ring_.size(); }
    std::size_t capacity() const noexcept { return capacity_; }
    stop_reason reason() const;
    heap_outlet::pops popped() const noexcept;
    /// Until no pop is posting a continuation. After close(), and the last that is done for the stream.
    void wait_for_resumptions() noexcept;
    /// The pushing thread takes the heap that waited longest; nobody is told.
    heap_ref displace() noexcept { return ring_.try_pop(); }

private:
    struct parked_reader;
    struct waiting_pop {
        std::uint64_t number;
        std::unique_ptr<pop_waiter> waiter;
    };
    using waiting_pops = std::list<waiting_pop>;  // move from list to list without memory

    heap_ref take();
    void count_pop(const heap& popped) noexcept;
    void wake_consumers();
    void complete(waiting_pops& served) noexcept;
    void resume_readers() noexcept;
    void update_descriptor() noexcept;
    boost::system::error_code end_code() const;

    heap_ring ring_;
    const std::size_t capacity_;
    const std::size_t reserve_;

    sync::atomic<std::uint32_t> consumers_waiting_{0};  // blocked pops, asynchronous pops, and 1 for a descriptor
    sync::atomic<bool> readers_parked_{false};
    sync::atomic<bool> closed_{false};
    sync::atomic<std::uint64_t> popped_complete_{0};
    sync::atomic<std::uint64_t> popped_incomplete_{0};

    mutable sync::mutex mutex_{sync::lock_rank::leaf};
    sync::condition changed_;  // a heap came, the queue closed, or a resumption was posted
    // Under mutex_:
    stop_reason reason_;
    std::vector<std::shared_ptr<parked_reader>> parked_;
    waiting_pops waiters_;
    waiting_pops unposted_;  // served, but there was no memory to say so: tried again later
    std::uint64_t waiters_so_far_ = 0;
    std::size_t resuming_ = 0;
    event_descriptor event_;
};

}  // namespace verbcast
