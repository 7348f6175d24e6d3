// SPDX-License-Identifier: BSD-3-Clause
/// What src/sync.hpp is in a model build: the same names, and every operation an interleaving point that a scheduler
/// decides on. The scheduler is linked by the test; this header says what it must do. On a thread that has none (a
/// program of the model build that is not a test) operations happen at once, and a wait that would last is an error.
///
/// Sequentially consistent: the memory orders are taken and not looked at.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "src/thread_state.hpp"

namespace verbcast::sync {

namespace model {

/// What a thread is about to do; `unlocked` and `posted`: what it has just done.
enum class operation : std::uint8_t {
    load,
    store,
    exchange,
    compare_exchange,
    fetch,
    lock,
    try_lock,
    unlock,
    unlocked,
    wait,
    notify,
    post,
    posted,
};

class object;

/// Runs one thread at a time, and at each point decides which. Called on the threads it runs; none of it returns to a
/// thread whose turn has not come.
class driver {
public:
    virtual ~driver() = default;
    /// Returns when the thread is to go on, which with `busy` is not before *busy is false.
    virtual void point(operation what, const object& on, const bool* busy = nullptr) noexcept = 0;
    /// Sleeps until notified or, with `timed`, until the time is up, and *busy is false. Says whether it was notified.
    virtual bool sleep(const object& on, const object& lock, const bool* busy, bool timed) noexcept = 0;
    virtual void notify(const object& on, bool all) noexcept = 0;
    /// A handler is about to be posted, and: it is in `context`.
    virtual void posting() noexcept = 0;
    virtual void posted(boost::asio::io_context& context) noexcept = 0;
    /// The next object's number, the same one in each run of a schedule.
    virtual std::uint32_t number() noexcept = 0;
    virtual void destroyed(const object& gone) noexcept = 0;
    [[noreturn]] virtual void fail(const char* what) noexcept = 0;
};

/// The scheduler that runs this thread, or null.
constinit inline thread_local driver* this_driver = nullptr;

[[noreturn]] inline void fail(const char* what) noexcept {
    if (this_driver != nullptr) this_driver->fail(what);
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

/// What a lock, a condition and an atomic are to the scheduler: someone with a name, who must still be there.
class object {
public:
    explicit object(const char* kind) noexcept
        : number_(this_driver != nullptr ? this_driver->number() : 0), kind_(kind) {}
    object(const object&) = delete;
    object& operator=(const object&) = delete;
    ~object() {
        if (this_driver != nullptr) this_driver->destroyed(*this);
        // Volatile, or the compiler drops a store to an object that ends.
        const_cast<volatile std::uint32_t&>(mark_) = mark_dead;
    }

    std::uint32_t number() const noexcept { return number_; }
    const char* kind() const noexcept { return kind_; }

protected:
    void point(operation what, const bool* busy = nullptr) const noexcept {
        if (const_cast<const volatile std::uint32_t&>(mark_) != mark_alive)
            fail("an operation on a lock, a condition or an atomic that was destroyed");
        if (this_driver != nullptr) this_driver->point(what, *this, busy);
    }

private:
    static constexpr std::uint32_t mark_alive = 0xA11FE0B1;
    static constexpr std::uint32_t mark_dead = 0xDEAD0B1E;

    std::uint32_t mark_ = mark_alive;
    std::uint32_t number_;
    const char* kind_;
};

constexpr const char* name(lock_rank rank) noexcept {
    switch (rank) {
    case lock_rank::queue: return "queue_mutex";
    case lock_rank::reader: return "reader_mutex";
    case lock_rank::leaf: break;
    }
    return "leaf mutex";
}

}  // namespace model

template <class T>
class atomic : private model::object {
public:
    using value_type = T;
    static constexpr bool is_always_lock_free = std::atomic<T>::is_always_lock_free;

    atomic() noexcept : object("atomic") {}
    atomic(T value) noexcept : object("atomic"), value_(value) {}  // NOLINT: converts, as std::atomic does

    T load(std::memory_order = std::memory_order_seq_cst) const noexcept { return at(model::operation::load).load(); }
    void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        at(model::operation::store).store(value);
    }
    T exchange(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::exchange).exchange(value);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order = std::memory_order_seq_cst,
                                 std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::compare_exchange).compare_exchange_strong(expected, desired);
    }
    /// Never fails without a cause.
    bool compare_exchange_weak(T& expected, T desired, std::memory_order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_seq_cst) noexcept {
        return compare_exchange_strong(expected, desired);
    }
    template <class Operand>
    T fetch_add(Operand operand, std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::fetch).fetch_add(operand);
    }
    template <class Operand>
    T fetch_sub(Operand operand, std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::fetch).fetch_sub(operand);
    }
    T fetch_or(T operand, std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::fetch).fetch_or(operand);
    }
    T fetch_and(T operand, std::memory_order = std::memory_order_seq_cst) noexcept {
        return at(model::operation::fetch).fetch_and(operand);
    }

    operator T() const noexcept { return load(); }  // NOLINT: converts, as std::atomic does
    T operator=(T value) noexcept {
        store(value);
        return value;
    }
    T operator++() noexcept { return at(model::operation::fetch).operator++(); }
    T operator++(int) noexcept { return at(model::operation::fetch).operator++(0); }
    T operator--() noexcept { return at(model::operation::fetch).operator--(); }
    T operator--(int) noexcept { return at(model::operation::fetch).operator--(0); }
    template <class Operand>
    T operator+=(Operand operand) noexcept {
        return at(model::operation::fetch).operator+=(operand);
    }
    template <class Operand>
    T operator-=(Operand operand) noexcept {
        return at(model::operation::fetch).operator-=(operand);
    }

private:
    const std::atomic<T>& at(model::operation what) const noexcept {
        point(what);
        return value_;
    }
    std::atomic<T>& at(model::operation what) noexcept {
        point(what);
        return value_;
    }

    std::atomic<T> value_{};
};

class mutex : private model::object {
public:
    explicit mutex(lock_rank rank) noexcept : object(model::name(rank)), rank_(rank) {}
    ~mutex() {
        if (locked_) model::fail("a mutex was destroyed while it was locked");
    }

    void lock() {
        this_thread().assert_may_lock(rank_);
        point(model::operation::lock, &locked_);
        if (locked_) model::fail("a mutex is locked, and there is no other thread to unlock it");
        locked_ = true;
        this_thread().locked(rank_);
    }
    bool try_lock() {
        this_thread().assert_may_lock(rank_);
        point(model::operation::try_lock);
        if (locked_) return false;
        locked_ = true;
        this_thread().locked(rank_);
        return true;
    }
    void unlock() {
        point(model::operation::unlock);
        if (!locked_) model::fail("a mutex was unlocked that was not locked");
        this_thread().unlocked(rank_);
        locked_ = false;
        // Others may take the lock from here on, and must not free it before this thread has left it.
        point(model::operation::unlocked);
    }

private:
    friend class condition;

    bool locked_ = false;
    lock_rank rank_;
};

/// A condition variable. The mutex is held by the caller, and again when it returns.
class condition : private model::object {
public:
    condition() noexcept : object("condition") {}
    template <class Predicate>
    void wait(mutex& held, Predicate ready) {
        while (!ready()) sleep(held, false);
    }
    /// What `ready` says at the end. That the time is up is for the scheduler to say; the clock is not looked at.
    template <class Predicate>
    bool wait_until(mutex& held, std::chrono::steady_clock::time_point deadline, Predicate ready) {
        const bool timed = deadline != std::chrono::steady_clock::time_point::max();
        while (!ready())
            if (!sleep(held, timed)) return ready();
        return true;
    }
    void notify_one() noexcept { notify(false); }
    void notify_all() noexcept { notify(true); }

private:
    bool sleep(mutex& held, bool timed) noexcept {
        point(model::operation::wait);
        if (model::this_driver == nullptr) model::fail("a wait without another thread to end it");
        if (!held.locked_) model::fail("a wait on a condition without its mutex");
        held.locked_ = false;
        const bool notified = model::this_driver->sleep(*this, held, &held.locked_, timed);
        held.locked_ = true;
        return notified;
    }
    void notify(bool all) noexcept {
        point(model::operation::notify);
        if (model::this_driver != nullptr) model::this_driver->notify(*this, all);
    }
};

template <class Function>
void post(boost::asio::io_context& executor, Function&& function) {
    if (model::this_driver != nullptr) model::this_driver->posting();
    boost::asio::post(executor, std::forward<Function>(function));
    if (model::this_driver != nullptr) model::this_driver->posted(executor);
}

}  // namespace verbcast::sync
