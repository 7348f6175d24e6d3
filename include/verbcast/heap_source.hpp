// SPDX-License-Identifier: BSD-3-Clause
/// The consumer's end of a ring of heaps.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/system/error_code.hpp>

#include <verbcast/api.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/stop_reason.hpp>

namespace verbcast {

class heap_queue;

enum class pop_status : std::uint8_t {
    ok,       ///< a heap
    empty,    ///< none now: try_pop(), or pop_for() whose time was up
    stopped,  ///< none any more: see heap_source::reason()
};

struct pop_result {
    pop_status status = pop_status::empty;
    heap_ref heap;

    explicit operator bool() const noexcept { return status == pop_status::ok; }
};

/// An asynchronous pop that waits for its heap.
class VERBCAST_API pop_waiter {
public:
    virtual ~pop_waiter() = default;
    /// What it completes with. Once.
    virtual void set_result(boost::system::error_code error, heap_ref heap) noexcept = 0;
    /// Posts the completion to the handler's executor. Once, unless it throws std::bad_alloc: then it may be tried
    /// again.
    virtual void complete() = 0;
};

/// A counted handle to the heaps of a ring_stream. Copy it for each thread that pops: a handle outlives the stream,
/// keeps the heaps that are still in the ring, and says `stopped` after them. Any thread may call any member,
/// and any number of threads may pop: each heap goes to one of them.
class VERBCAST_API heap_source {
public:
    explicit heap_source(std::shared_ptr<heap_queue> queue) noexcept : queue_(std::move(queue)) {}

    /// Waits for the next heap, or for the end.
    pop_result pop();
    pop_result try_pop();
    pop_result pop_for(std::chrono::nanoseconds patience);

    /// Completes with `void(boost::system::error_code, heap_ref)`, posted to the handler's executor:
    /// no error and a heap; boost::asio::error::eof after an orderly end; the error's own code (or
    /// boost::system::errc::io_error) when the stream failed; boost::asio::error::operation_aborted when the stream was
    /// destroyed or the operation cancelled. Takes callbacks, boost::asio::use_awaitable, any completion token.
    template <class Token>
    auto async_pop(Token&& token);

    /// A descriptor for poll(2) and epoll(7), readable while pop() would not wait. Owned by the ring: do not read it or
    /// close it. Made by the first call; throws std::system_error. From then on each heap may cost a system call.
    int descriptor();

    /// Heaps that wait to be popped, and how many may before the ring is full.
    std::size_t size() const noexcept;
    std::size_t capacity() const noexcept;

    /// Why there will be no more heaps, or that there may be.
    stop_reason reason() const;

    /// An input iterator: `for (heap_ref& heap : source)`, from which the loop may move. Ends with the stream; when the
    /// stream failed, throws what made it fail, after the heaps before that.
    class iterator;
    iterator begin();
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    template <class Handler>
    class handler_waiter;

    /// Completes `waiter` at once when it can, else keeps it. Returns a number to cancel it by.
    std::uint64_t start_wait(std::unique_ptr<pop_waiter> waiter);
    static void cancel_wait(const std::weak_ptr<heap_queue>& queue, std::uint64_t number);

    std::shared_ptr<heap_queue> queue_;
};

class VERBCAST_API heap_source::iterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = heap_ref;
    using difference_type = std::ptrdiff_t;

    iterator(iterator&&) = default;
    iterator& operator=(iterator&&) = default;

    heap_ref& operator*() const noexcept { return current_; }
    iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return !at.current_; }

private:
    friend class heap_source;
    explicit iterator(heap_source source);

    heap_source source_;
    mutable heap_ref current_;
};

template <class Handler>
class heap_source::handler_waiter final : public pop_waiter {
public:
    explicit handler_waiter(Handler&& handler)
        : completion_(std::make_shared<completion>(std::move(handler))),
          executor_(boost::asio::prefer(boost::asio::get_associated_executor(completion_->handler),
                                        boost::asio::execution::outstanding_work.tracked)) {}

    void set_result(boost::system::error_code error, heap_ref heap) noexcept override {
        completion_->error = error;
        completion_->heap = std::move(heap);
    }
    void complete() override {
        boost::asio::post(executor_, [completed = completion_] {
            std::move(completed->handler)(completed->error, std::move(completed->heap));
        });
    }

private:
    /// Shared with its post, which may fail.
    struct completion {
        explicit completion(Handler&& its_handler) : handler(std::move(its_handler)) {}

        Handler handler;
        boost::system::error_code error;
        heap_ref heap;
    };

    std::shared_ptr<completion> completion_;
    boost::asio::any_io_executor executor_;
};

template <class Token>
auto heap_source::async_pop(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, heap_ref)>(
        [](auto handler, heap_source source) {
            auto slot = boost::asio::get_associated_cancellation_slot(handler);
            auto waiter = std::make_unique<handler_waiter<decltype(handler)>>(std::move(handler));
            const std::weak_ptr<heap_queue> queue = source.queue_;
            const std::uint64_t number = source.start_wait(std::move(waiter));
            if (slot.is_connected())
                slot.assign([queue, number](boost::asio::cancellation_type) { cancel_wait(queue, number); });
        },
        token, *this);
}

}  // namespace verbcast
