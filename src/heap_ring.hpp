// SPDX-License-Identifier: BSD-3-Clause
/// A bounded lock-free ring of heaps with sequenced slots (after D. Vyukov's bounded queue).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <verbcast/heap.hpp>

#include "src/sync.hpp"

namespace verbcast {

/// One thread at a time pushes, any number pop. Each slot says in `turn` whose it is: position p may be pushed when the
/// slot's turn is p, and popped when it is p + 1; the pop makes it p + size, for the next time round.
///
/// It serves all policies and any number of consumers. What a lone consumer pays for the others is one compare-and-swap
/// a heap that nobody contends for.
class heap_ring {
public:
    /// At least `slots_min` slots.
    explicit heap_ring(std::size_t slots_min)
        : size_(std::bit_ceil(slots_min)), slots_(std::make_unique<slot[]>(size_)) {
        for (std::size_t i = 0; i < size_; ++i) slots_[i].turn.store(i, std::memory_order_relaxed);
    }

    /// The pushing thread only. Leaves `heap` as it is when its slot is taken.
    bool try_push(heap_ref&& heap) noexcept {
        const std::uint64_t position = tail_.load(std::memory_order_relaxed);  // only this thread writes it
        slot& to = slots_[position & (size_ - 1)];
        // Acquire: the pop that emptied the slot is over.
        if (to.turn.load(std::memory_order_acquire) != position) return false;
        to.heap = std::move(heap);
        // Sequentially consistent, with the look that the pusher then takes at who waits: see heap_queue.
        to.turn.store(position + 1, std::memory_order_seq_cst);
        tail_.store(position + 1, std::memory_order_seq_cst);
        return true;
    }

    heap_ref try_pop() noexcept {
        std::uint64_t position = head_.load(std::memory_order_relaxed);
        for (;;) {
            slot& from = slots_[position & (size_ - 1)];
            // Sequentially consistent, with a waiter's announcement before it; acquires the heap.
            const std::uint64_t turn = from.turn.load(std::memory_order_seq_cst);
            if (turn == position + 1) {
                if (!head_.compare_exchange_weak(position, position + 1, std::memory_order_seq_cst,
                                                 std::memory_order_relaxed))
                    continue;
                heap_ref taken = std::move(from.heap);
                // Sequentially consistent, with the look that the consumer then takes at who is parked: see heap_queue.
                from.turn.store(position + size_, std::memory_order_seq_cst);
                return taken;
            }
            const std::uint64_t now = head_.load(std::memory_order_relaxed);
            if (now == position) return {};  // nothing was pushed there yet
            position = now;                  // another pop was faster
        }
    }

    /// Heaps in the ring. Exact for a thread that keeps others from pushing, up to pops that are under way.
    std::size_t size() const noexcept {
        const std::uint64_t head = head_.load(std::memory_order_seq_cst);
        const std::uint64_t tail = tail_.load(std::memory_order_seq_cst);
        return tail > head ? static_cast<std::size_t>(tail - head) : 0;
    }

    /// The pushing thread only: the next `count` pushes find a place. A pop that is held up between taking its position
    /// and emptying its slot can keep them from it. Costs one look for each push: a free slot stays free until then.
    /// Sequentially consistent, with a parking reader's announcement before it.
    bool has_room_for(std::size_t count) noexcept {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        if (known_free_ < tail) known_free_ = tail;
        while (known_free_ != tail + count &&
               slots_[known_free_ & (size_ - 1)].turn.load(std::memory_order_seq_cst) == known_free_)
            ++known_free_;
        return known_free_ == tail + count;
    }

private:
    static constexpr std::size_t cache_line_bytes = 64;

    struct alignas(cache_line_bytes) slot {
        sync::atomic<std::uint64_t> turn{0};
        heap_ref heap;
    };

    const std::size_t size_;
    const std::unique_ptr<slot[]> slots_;
    alignas(cache_line_bytes) sync::atomic<std::uint64_t> head_{0};
    alignas(cache_line_bytes) sync::atomic<std::uint64_t> tail_{0};
    std::uint64_t known_free_ = 0;  // the pushing thread's: positions from tail_ up to here have free slots
};

}  // namespace verbcast
