// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/scheduler.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/core/demangle.hpp>
#include <fmt/format.h>

#include "tests/explorer/schedule.hpp"

namespace verbcast::explorer {

namespace {

// Far more than any scenario takes that comes to its end.
constexpr std::size_t steps_max = 20'000;
constexpr std::size_t threads_max = 64;
constexpr std::size_t trace_lines_max = 400;

constexpr const char* name(sync::model::operation what) noexcept {
    using enum sync::model::operation;
    switch (what) {
    case load: return "load";
    case store: return "store";
    case exchange: return "exchange";
    case compare_exchange: return "compare_exchange";
    case fetch: return "fetch";
    case lock: return "lock";
    case try_lock: return "try_lock";
    case unlock: return "unlock";
    case unlocked: return "after the unlock of";
    case wait: return "wait on";
    case notify: return "notify";
    case post: return "post";
    case posted: return "after the post";
    }
    return "";
}

std::string describe_exception() {
    try {
        throw;
    } catch (const std::exception& caught) {
        return fmt::format("{}: {}", boost::core::demangle(typeid(caught).name()), caught.what());
    } catch (...) {
        return "of an unknown type";
    }
}

}  // namespace

std::optional<failure> scheduler::run(const std::function<void(scheduler&)>& scenario) {
    options_.reserve(threads_max);
    chosen_.reserve(1024);
    steps_.reserve(1024);
    spawn("main", [this, &scenario] { run_scenario(scenario); });
    threads_.front()->runs_on->give_turn();
    workers_.wait_for_turn();
    if (failure_) return std::move(failure_);
    for (const auto& thread : threads_) workers_.give_back(std::move(thread->runs_on));
    return std::nullopt;
}

void scheduler::run_scenario(const std::function<void(scheduler&)>& scenario) {
    scenario(*this);
    const quietly quiet(*this);
    settle();
    ending_ = true;
    settle();
    contexts_.clear();
}

void scheduler::spawn(const char* name, std::function<void()> body) {
    if (threads_.size() == threads_max) fail("too many threads");
    auto thread = std::make_unique<virtual_thread>();
    thread->owner = this;
    thread->name = name;
    thread->body = std::move(body);
    thread->runs_on = workers_.take();
    thread->runs_on->assign(&scheduler::run_thread, thread.get());
    threads_.push_back(std::move(thread));
}

void scheduler::run_thread(void* thread) {
    auto& self = *static_cast<virtual_thread*>(thread);
    scheduler& owner = *self.owner;
    sync::model::this_driver = &owner;
    try {
        self.body();
    } catch (...) {
        owner.fail_with(fmt::format("an exception leaves the thread: {}", describe_exception()));
    }
    self.body = nullptr;
    owner.check(sync::this_thread().in_batch_of == nullptr, "a thread ends within a batch");
    owner.check(sync::this_thread().marked == nullptr, "a thread ends and has not stopped the streams it marked");
    self.is = condition::ended;

    const bool last = &self == owner.threads_.front().get();
    virtual_thread* const next = last ? nullptr : &owner.choose_next();
    sync::model::this_driver = nullptr;
    if (last)
        owner.workers_.give_turn();
    else
        next->runs_on->give_turn();
}

boost::asio::io_context& scheduler::make_context(const char* name, unsigned threads) {
    const std::size_t index = contexts_.size();
    if (index == threads_max) fail("too many contexts");
    contexts_.push_back(std::make_unique<served_context>(name));
    for (unsigned i = 0; i < threads; ++i) {
        spawn(name, [this, index] { run_context(index); });
        // It has nothing to do before there is a handler: not even to begin.
        threads_.back()->is = condition::idle;
        threads_.back()->doing = "idle";
        threads_.back()->context = index;
        threads_.back()->name += fmt::format(" {}", i + 1);
    }
    return contexts_[index]->io;
}

void scheduler::run_context(std::size_t index) {
    virtual_thread& self = running();
    served_context& context = *contexts_[index];
    for (;;) {
        if (ending_) return;
        self.is = condition::ready;
        trace("run a handler of", context.name, 0);
        --context.posted;
        if (context.io.poll_one() != 1) fail("a context has fewer handlers than were posted to it");
        self.is = condition::idle;
        self.doing = "idle";
        take_turns();
    }
}

void scheduler::settle() {
    virtual_thread& self = running();
    self.is = condition::settling;
    self.doing = "settle";
    take_turns();
    self.is = condition::ready;
    for (const auto& context : contexts_)
        if (!ending_ && context->io.poll_one() != 0) fail("a handler was posted past sync::post");
}

void scheduler::yield(const char* what, std::uint64_t number) noexcept {
    virtual_thread& self = running();
    self.doing = what;
    take_turns();
    trace(what, nullptr, number);
}

void scheduler::point(operation what, const object& on, const bool* busy) noexcept {
    virtual_thread& self = running();
    self.doing = name(what);
    self.on = &on;
    self.busy = busy;
    take_turns();
    self.on = nullptr;
    self.busy = nullptr;
    trace(self.doing, on.kind(), on.number());
}

bool scheduler::sleep(const object& on, const object& lock, const bool* busy, bool timed) noexcept {
    virtual_thread& self = running();
    self.is = condition::sleeping;
    self.doing = "sleep on";
    self.on = &on;
    self.lock = &lock;
    self.busy = busy;
    self.timed = timed;
    self.notified = false;
    self.timed_out = false;
    take_turns();
    self.is = condition::ready;
    self.on = nullptr;
    self.lock = nullptr;
    self.busy = nullptr;
    trace(self.timed_out ? "time is up on" : "woken from", on.kind(), on.number());
    return !self.timed_out;
}

void scheduler::notify(const object& on, bool all) noexcept {
    options_.clear();
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        virtual_thread& thread = *threads_[i];
        if (thread.is != condition::sleeping || thread.on != &on || thread.notified) continue;
        if (all)
            thread.notified = true;
        else
            options_.push_back({static_cast<std::uint8_t>(i), false});
    }
    if (!options_.empty()) threads_[options_[choose(true)].thread]->notified = true;
}

void scheduler::posting() noexcept { yield(name(operation::post)); }

void scheduler::posted(boost::asio::io_context& context) noexcept {
    served_context& to = find(context);
    if (to.closed) fail("a handler is posted to a context that may be gone");
    ++to.posted;
    yield(name(operation::posted));
}

void scheduler::close(boost::asio::io_context& context) { find(context).closed = true; }

scheduler::served_context& scheduler::find(boost::asio::io_context& context) {
    const auto found = std::ranges::find_if(contexts_, [&](const auto& each) { return &each->io == &context; });
    if (found == contexts_.end()) fail("a handler is posted to a context that no virtual thread runs");
    return **found;
}

void scheduler::destroyed(const object& gone) noexcept {
    for (const auto& thread : threads_)
        if (thread->on == &gone || thread->lock == &gone)
            fail_with(fmt::format("{} {} is destroyed, and thread {} is at: {}", gone.kind(), gone.number(),
                                  thread->name, thread->doing));
}

bool scheduler::can_run(const virtual_thread& thread) const noexcept {
    const bool may_lock = thread.busy == nullptr || !*thread.busy;
    switch (thread.is) {
    case condition::ready: return may_lock;
    case condition::sleeping: return thread.notified && may_lock;
    case condition::idle: return ending_ || contexts_[thread.context]->posted > 0;
    case condition::settling:
    case condition::ended: break;
    }
    return false;
}

bool scheduler::can_time_out(const virtual_thread& thread) const noexcept {
    return thread.is == condition::sleeping && thread.timed && !thread.notified && !*thread.busy;
}

bool scheduler::can_settle(const virtual_thread& thread) const noexcept {
    return thread.is == condition::settling && std::ranges::all_of(threads_, [&](const auto& other) {
               return other.get() == &thread || other->is == condition::idle || other->is == condition::ended;
           });
}

// Idle threads of one context are alike: one of them stands for all.
void scheduler::list_thread(std::size_t index, std::uint64_t& idle_contexts) {
    const virtual_thread& thread = *threads_[index];
    if (!can_run(thread)) return;
    if (thread.is == condition::idle) {
        const std::uint64_t context = std::uint64_t{1} << thread.context;
        if ((idle_contexts & context) != 0) return;
        idle_contexts |= context;
    }
    options_.push_back({static_cast<std::uint8_t>(index), false});
}

void scheduler::list_options() {
    options_.clear();
    std::uint64_t idle_contexts = 0;
    list_thread(running_, idle_contexts);
    for (std::size_t i = 0; i < threads_.size(); ++i)
        if (i != running_) list_thread(i, idle_contexts);
    for (std::size_t i = 0; i < threads_.size(); ++i)
        if (can_time_out(*threads_[i])) options_.push_back({static_cast<std::uint8_t>(i), true});
    if (!options_.empty()) return;
    for (std::size_t i = 0; i < threads_.size(); ++i)
        if (can_settle(*threads_[i])) return options_.push_back({static_cast<std::uint8_t>(i), false});
}

std::size_t scheduler::choose(bool free) {
    if (options_.size() == 1) return 0;
    if (quiet_ != 0) return 0;
    std::size_t index = 0;
    try {
        index = chooser_.choose(options_, free);
    } catch (...) {
        fail_with(describe_exception());
    }
    chosen_.push_back(options_[index]);
    return index;
}

scheduler::virtual_thread& scheduler::choose_next() {
    if (steps_.size() > steps_max) fail("the run does not end: too many steps");
    list_options();
    if (options_.empty()) fail("deadlock: no thread can go on");
    const option next = options_[choose(!can_run(running()))];
    running_ = next.thread;
    if (next.timeout) running().timed_out = true;
    return running();
}

void scheduler::take_turns() noexcept {
    virtual_thread& self = running();
    virtual_thread& next = choose_next();
    if (&next == &self) return;
    next.runs_on->give_turn();
    self.runs_on->wait_for_turn();
}

void scheduler::trace(const char* doing, const char* kind, std::uint64_t number) {
    steps_.push_back({static_cast<std::uint8_t>(running_), doing, kind, number});
}

std::string scheduler::schedule() const { return write_schedule(chosen_); }

std::string scheduler::describe_run() const {
    fmt::memory_buffer text;
    const auto out = fmt::appender(text);
    const std::size_t first = steps_.size() > trace_lines_max ? steps_.size() - trace_lines_max : 0;
    for (std::size_t i = first; i < steps_.size(); ++i) {
        const step& each = steps_[i];
        fmt::format_to(out, "{:5}  {:<12} {}", i, threads_[each.thread]->name, each.doing);
        if (each.kind != nullptr) fmt::format_to(out, " {}", each.kind);
        if (each.number != 0) fmt::format_to(out, " {}", each.number);
        fmt::format_to(out, "\n");
    }
    fmt::format_to(out, "where they are:\n");
    for (const auto& thread : threads_) {
        if (thread->is == condition::ended) continue;
        fmt::format_to(out, "       {:<12} {}", thread->name, thread->doing);
        if (thread->on != nullptr) fmt::format_to(out, " {} {}", thread->on->kind(), thread->on->number());
        fmt::format_to(out, "\n");
    }
    return fmt::to_string(text);
}

void scheduler::fail(const char* what) noexcept { fail_with(what); }

void scheduler::fail_with(std::string what) noexcept {
    virtual_thread& self = running();
    failure_ = failure{fmt::format("thread {}: {}", self.name, what), schedule(), describe_run()};
    workers_.give_turn();
    for (;;) self.runs_on->wait_for_turn();
}

}  // namespace verbcast::explorer
