// SPDX-License-Identifier: BSD-3-Clause
/// Runs a scenario once, on virtual threads: real threads (Asio keeps a call stack in each) of which one runs at a
/// time. At every operation of src/sync.hpp a chooser says which goes on, so a run is a function of what was chosen.
///
/// A scenario runs on the first virtual thread, starts others, and checks. A check, an assertion, an exception that
/// leaves a virtual thread, a deadlock: each ends the run as a failure. The threads of a failed run stay where they are
/// for ever, and what they use is never freed: nothing is unwound that might hide or add to what was found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "src/sync.hpp"
#include "tests/explorer/worker.hpp"

namespace verbcast::explorer {

/// One way to go on: a thread, and whether its wait ends because its time is up.
struct option {
    std::uint8_t thread = 0;
    bool timeout = false;
    friend bool operator==(const option&, const option&) = default;
};

class chooser {
public:
    virtual ~chooser() = default;
    /// The index of one of two or more options. The first goes on with the thread that runs when it can, and then the
    /// others preempt it: unless they are `free`.
    virtual std::size_t choose(std::span<const option> options, bool free) = 0;
};

struct failure {
    std::string what;
    std::string schedule;  ///< what was chosen
    std::string trace;     ///< what each thread did, a line a step, and where it is
};

class scheduler final : public sync::model::driver {
public:
    scheduler(chooser& chooser, worker_pool& workers) : chooser_(chooser), workers_(workers) {}
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    /// Runs the scenario to its end, from a thread that is not virtual. Once. After a failure the scheduler, and what
    /// the scenario refers to, must be kept for ever.
    std::optional<failure> run(const std::function<void(scheduler&)>& scenario);

    // For scenarios and what they are made of, on virtual threads. Texts must be literals.

    /// A new virtual thread. It may refer to the scenario's variables, since the scenario ends with settle().
    void spawn(const char* name, std::function<void()> body);
    /// A context that lives until the run has ended. `threads` virtual threads run it, a handler at a time. Handlers
    /// come by sync::post.
    boost::asio::io_context& make_context(const char* name, unsigned threads);
    /// From here on nothing may be posted to it: its owner could destroy it.
    void close(boost::asio::io_context& context);
    /// Waits until every other thread has ended, or runs a context and has nothing to do. Each scenario ends with it.
    void settle();
    /// An interleaving point of the scenario's own: where a user's callback takes its time, for one.
    void yield(const char* what, std::uint64_t number = 0) noexcept;
    void check(bool holds, const char* what) {
        if (!holds) fail(what);
    }
    [[noreturn]] void fail(const char* what) noexcept override;

    /// While one lives nothing is chosen: the thread goes on until it must wait. For set-up and for checks, where
    /// interleavings are of no interest.
    class quietly {
    public:
        explicit quietly(scheduler& scheduler) : scheduler_(scheduler) { ++scheduler_.quiet_; }
        ~quietly() { --scheduler_.quiet_; }
        quietly(const quietly&) = delete;
        quietly& operator=(const quietly&) = delete;

    private:
        scheduler& scheduler_;
    };

    /// What was chosen so far.
    std::string schedule() const;

private:
    using operation = sync::model::operation;
    using object = sync::model::object;

    enum class condition : std::uint8_t { ready, sleeping, idle, settling, ended };

    struct virtual_thread {
        scheduler* owner = nullptr;
        std::string name;
        std::function<void()> body;
        std::unique_ptr<worker> runs_on;
        condition is = condition::ready;
        // What it is about to do or waits for, and with what.
        const char* doing = "start";
        const object* on = nullptr;
        const object* lock = nullptr;
        const bool* busy = nullptr;
        std::size_t context = 0;
        bool timed = false;
        bool notified = false;
        bool timed_out = false;
    };

    struct served_context {
        explicit served_context(const char* its_name) : name(its_name) {}

        const char* name;
        std::size_t posted = 0;
        bool closed = false;
        boost::asio::io_context io;
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
    };

    struct step {
        std::uint8_t thread;
        const char* doing;
        const char* kind;
        std::uint64_t number;
    };

    void point(operation what, const object& on, const bool* busy) noexcept override;
    bool sleep(const object& on, const object& lock, const bool* busy, bool timed) noexcept override;
    void notify(const object& on, bool all) noexcept override;
    void posting() noexcept override;
    void posted(boost::asio::io_context& context) noexcept override;
    std::uint32_t number() noexcept override { return ++objects_; }
    void destroyed(const object& gone) noexcept override;

    static void run_thread(void* thread);
    void run_scenario(const std::function<void(scheduler&)>& scenario);
    void run_context(std::size_t index);

    served_context& find(boost::asio::io_context& context);
    virtual_thread& running() noexcept { return *threads_[running_]; }
    bool can_run(const virtual_thread& thread) const noexcept;
    bool can_time_out(const virtual_thread& thread) const noexcept;
    bool can_settle(const virtual_thread& thread) const noexcept;
    void list_options();
    void list_thread(std::size_t index, std::uint64_t& idle_contexts);
    std::size_t choose(bool free);
    /// Gives the turn to whom it belongs.
    virtual_thread& choose_next();
    /// The same, and returns when it is this thread's again.
    void take_turns() noexcept;
    void trace(const char* doing, const char* kind, std::uint64_t number);
    std::string describe_run() const;
    [[noreturn]] void fail_with(std::string what) noexcept;

    chooser& chooser_;
    worker_pool& workers_;
    std::vector<std::unique_ptr<virtual_thread>> threads_;
    std::vector<std::unique_ptr<served_context>> contexts_;
    std::size_t running_ = 0;
    unsigned quiet_ = 0;
    bool ending_ = false;  // the threads that run contexts are to end
    std::uint32_t objects_ = 0;
    std::vector<option> options_;
    std::vector<option> chosen_;
    std::vector<step> steps_;
    std::optional<failure> failure_;
};

}  // namespace verbcast::explorer
