// SPDX-License-Identifier: BSD-3-Clause
// The explorer against toys with known bugs, and the same toys without them.
#include <catch2/catch.hpp>

#include <cassert>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>

#include "src/sync.hpp"
#include "tests/explorer/explore.hpp"
#include "tests/explorer/schedule.hpp"

using namespace verbcast;
using explorer::scheduler;
using sync::lock_rank;

namespace {

void check_found(const explorer::verdict& verdict, const std::string& what, const explorer::scenario& scenario) {
    INFO(verdict.report());
    REQUIRE(verdict.found);
    CHECK_THAT(verdict.found->what, Catch::Contains(what));

    const explorer::verdict again = explorer::replay(verdict.name, verdict.found->schedule, scenario);
    REQUIRE(again.found);
    CHECK(again.schedules == 1);
    CHECK(again.found->what == verdict.found->what);
    CHECK(again.found->trace == verdict.found->trace);
    CHECK(again.found->schedule == verdict.found->schedule);
}

void check_passed(const explorer::verdict& verdict) {
    INFO(verdict.report());
    CHECK(verdict.passed());
}

// A box that one thread fills and another waits for.
struct box {
    sync::mutex mutex{lock_rank::leaf};
    sync::condition filled;
    sync::atomic<bool> full{false};
};

explorer::scenario fill_and_wait(bool fill_under_lock) {
    return [=](scheduler& run) {
        box shared;
        run.spawn("filler", [&] {
            if (fill_under_lock) shared.mutex.lock();
            shared.full = true;
            shared.filled.notify_one();
            if (fill_under_lock) shared.mutex.unlock();
        });
        run.spawn("waiter", [&] {
            shared.mutex.lock();
            shared.filled.wait(shared.mutex, [&] { return shared.full.load(); });
            shared.mutex.unlock();
        });
        run.settle();
    };
}

// Two locks in an order that the ranks do not express: the toy hides from them what it holds.
explorer::scenario lock_two(bool in_one_order) {
    return [=](scheduler& run) {
        sync::mutex a{lock_rank::leaf};
        sync::mutex b{lock_rank::leaf};
        const auto lock_both = [](sync::mutex& first, sync::mutex& second) {
            first.lock();
            sync::this_thread().unlocked(lock_rank::leaf);
            second.lock();
            second.unlock();
            first.unlock();
        };
        run.spawn("a then b", [&] { lock_both(a, b); });
        run.spawn("b then a", [&] { in_one_order ? lock_both(a, b) : lock_both(b, a); });
        run.settle();
    };
}

// The last ticket must not be sold twice.
explorer::scenario sell_last_ticket(bool act_under_the_lock_of_the_check) {
    return [=](scheduler& run) {
        sync::mutex mutex{lock_rank::leaf};
        int tickets = 1;
        const auto sell = [&] {
            mutex.lock();
            const bool available = tickets > 0;
            if (!act_under_the_lock_of_the_check) {
                mutex.unlock();
                mutex.lock();
            }
            if (available) --tickets;
            mutex.unlock();
        };
        run.spawn("counter 1", sell);
        run.spawn("counter 2", sell);
        run.settle();
        run.check(tickets == 0, "a ticket was sold twice");
    };
}

// Handlers that keep what they use, or do not.
[[maybe_unused]] explorer::scenario post_handlers(bool keep_alive) {
    return [=](scheduler& run) {
        struct counted {
            sync::mutex mutex{lock_rank::queue};
            int handled = 0;
        };
        boost::asio::io_context& context = run.make_context("io", 2);
        auto shared = std::make_shared<counted>();
        counted* const plain = shared.get();
        const std::shared_ptr<counted> kept = keep_alive ? shared : nullptr;
        for (int i = 0; i < 2; ++i) {
            sync::post(context, [plain, kept] {
                plain->mutex.lock();
                ++plain->handled;
                plain->mutex.unlock();
            });
        }
        shared.reset();
        run.settle();
    };
}

explorer::scenario assert_order_of(bool held_back) {
    return [=](scheduler& run) {
        box shared;
        run.spawn("writer", [&] { shared.full = true; });
        if (held_back) run.settle();
        assert(shared.full);
        run.settle();
    };
}

constexpr explorer::bounds bound{.preemptions_max = 2};

}  // namespace

TEST_CASE("the explorer finds a wake-up that comes between the check and the wait", "[explorer]") {
    const auto scenario = fill_and_wait(false);
    check_found(explorer::explore("lost_wakeup", bound, scenario), "deadlock", scenario);
    check_passed(explorer::explore("wakeup", bound, fill_and_wait(true)));
}

TEST_CASE("the explorer finds two locks that are taken in both orders", "[explorer]") {
    const auto scenario = lock_two(false);
    check_found(explorer::explore("both_orders", bound, scenario), "deadlock", scenario);
    check_passed(explorer::explore("one_order", bound, lock_two(true)));
}

TEST_CASE("the explorer finds an act after the lock of its check was given back", "[explorer]") {
    const auto scenario = sell_last_ticket(false);
    check_found(explorer::explore("check_then_act", bound, scenario), "sold twice", scenario);
    check_passed(explorer::explore("check_and_act", bound, sell_last_ticket(true)));
}

TEST_CASE("the explorer makes a failed assertion the failure of its schedule", "[explorer]") {
    const auto scenario = assert_order_of(false);
    check_found(explorer::explore("assertion", bound, scenario), "assertion failed: shared.full", scenario);
    check_passed(explorer::explore("no_assertion", bound, assert_order_of(true)));
}

TEST_CASE("the explorer makes an exception that leaves a thread the failure of its schedule", "[explorer]") {
    const explorer::scenario scenario = [](scheduler& run) {
        run.spawn("thrower", [] { throw std::runtime_error("thrown by the toy"); });
        run.settle();
    };
    check_found(explorer::explore("exception", bound, scenario), "thrown by the toy", scenario);
}

TEST_CASE("the explorer ends a wait with a deadline early, late or not at all", "[explorer]") {
    std::vector<std::string> seen;
    check_passed(explorer::explore("deadline", bound, [&](scheduler& run) {
        box shared;
        std::string order;
        run.spawn("filler", [&] {
            const std::lock_guard lock(shared.mutex);
            order += 'f';
            shared.full = true;
            shared.filled.notify_all();
        });
        run.spawn("waiter", [&] {
            const std::lock_guard lock(shared.mutex);
            const auto deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
            order += shared.filled.wait_until(shared.mutex, deadline, [&] { return shared.full.load(); }) ? 'w' : 't';
        });
        run.settle();
        if (std::ranges::find(seen, order) == seen.end()) seen.push_back(order);
    }));
    std::ranges::sort(seen);
    CHECK(seen == std::vector<std::string>{"fw", "tf"});
}

TEST_CASE("a wait whose time is the only thing to come ends with it", "[explorer]") {
    check_passed(explorer::explore("only_time", bound, [](scheduler& run) {
        box shared;
        const std::lock_guard lock(shared.mutex);
        run.check(!shared.filled.wait_until(shared.mutex, std::chrono::steady_clock::now(),
                                            [&] { return shared.full.load(); }),
                  "full, though nobody filled it");
    }));
}

TEST_CASE("notify_one wakes any one of those that wait", "[explorer]") {
    std::vector<int> seen;
    check_passed(explorer::explore("notify_one", {.preemptions_max = 0}, [&](scheduler& run) {
        box shared;
        int waiting = 0;
        int tokens = 0;
        int waiting_at_first_token = 0;
        int first = 0;
        for (int waiter = 1; waiter <= 2; ++waiter) {
            run.spawn("waiter", [&, waiter] {
                const std::lock_guard lock(shared.mutex);
                ++waiting;
                shared.filled.wait(shared.mutex, [&] { return tokens > 0; });
                if (first == 0) first = waiter;
                shared.filled.notify_one();
            });
        }
        run.spawn("waker", [&] {
            const std::lock_guard lock(shared.mutex);
            waiting_at_first_token = waiting;
            ++tokens;
            shared.filled.notify_one();
        });
        run.settle();
        if (waiting_at_first_token == 2) seen.push_back(first);
    }));
    CHECK(std::ranges::count(seen, 1) > 0);
    CHECK(std::ranges::count(seen, 2) > 0);
}

TEST_CASE("every interleaving within the bound is run once", "[explorer]") {
    // Two threads of two steps: six interleavings; each thread stops once to begin and once in the middle.
    const auto run_with = [](unsigned preemptions_max) {
        std::vector<std::string> seen;
        const auto verdict = explorer::explore("two_by_two", {.preemptions_max = preemptions_max}, [&](scheduler& run) {
            std::string order;
            for (const char* const name : {"a", "b"}) {
                run.spawn(name, [&run, &order, name] {
                    order += name;
                    run.yield("middle");
                    order += name;
                });
            }
            run.settle();
            seen.push_back(order);
        });
        CHECK(verdict.passed());
        std::ranges::sort(seen);
        std::vector<std::string> different(seen.begin(), std::unique(seen.begin(), seen.end()));
        CHECK(verdict.schedules == different.size());
        return different;
    };
    CHECK(run_with(0) == std::vector<std::string>{"aabb", "bbaa"});
    CHECK(run_with(1) == std::vector<std::string>{"aabb", "abba", "baab", "bbaa"});
    CHECK(run_with(2) == std::vector<std::string>{"aabb", "abab", "abba", "baab", "baba", "bbaa"});
}

TEST_CASE("random schedules find the bug too, and the same ones from the same seed", "[explorer]") {
    const auto scenario = sell_last_ticket(false);
    const auto found = explorer::explore_randomly("random", {.schedules = 1000, .seed = 1}, scenario);
    check_found(found, "sold twice", scenario);
    const auto again = explorer::explore_randomly("random", {.schedules = 1000, .seed = 1}, scenario);
    REQUIRE(again.found);
    CHECK(again.schedules == found.schedules);
    CHECK(again.found->schedule == found.found->schedule);
}

TEST_CASE("a scenario that does not do the same twice is a failure", "[explorer]") {
    int runs = 0;
    const auto verdict = explorer::explore("not_the_same", bound, [&](scheduler& run) {
        ++runs;
        for (int i = 0; i < 1 + runs; ++i) run.spawn("thread", [&run] { run.yield("step"); });
        run.settle();
    });
    REQUIRE(verdict.found);
    CHECK_THAT(verdict.found->what, Catch::Contains("something else under the same choices"));
}

// AddressSanitizer ends the process over these before the explorer can see them.
#ifndef __SANITIZE_ADDRESS__
TEST_CASE("the explorer finds a mutex that is freed under the threads that use it", "[explorer]") {
    const auto scenario = post_handlers(false);
    check_found(explorer::explore("freed_early", bound, scenario), "destroyed", scenario);
    check_passed(explorer::explore("kept_alive", bound, post_handlers(true)));
}

TEST_CASE("memory that is written to after it was freed is found out", "[explorer]") {
    const auto verdict = explorer::explore("written_after_free", bound, [](scheduler&) {
        volatile int* volatile memory = new int[8];  // volatile: or the compiler sees through it
        delete[] memory;
        memory[3] = 1;  // NOLINT: that is the point
    });
    REQUIRE(verdict.found);
    CHECK_THAT(verdict.found->what, Catch::Contains("after it was freed"));
}
#endif

TEST_CASE("a schedule is read as it was written", "[explorer]") {
    const std::vector<explorer::option> chosen{{0, false}, {0, false}, {2, false}, {1, true}, {1, true}, {1, false}};
    CHECK(explorer::write_schedule(chosen) == "0x2.2.1!x2.1");
    CHECK(explorer::read_schedule("0x2.2.1!x2.1") == chosen);
    CHECK(explorer::read_schedule("").empty());
    CHECK_THROWS_AS(explorer::read_schedule("0x"), std::invalid_argument);
    CHECK_THROWS_AS(explorer::read_schedule("1 2"), std::invalid_argument);
    CHECK_THROWS_AS(explorer::read_schedule("0x99999999"), std::invalid_argument);
}
