// SPDX-License-Identifier: BSD-3-Clause
// The stop protocol of streams with a sink.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <verbcast/stream.hpp>

#include "tests/explorer/check.hpp"
#include "tests/explorer/explore.hpp"
#include "tests/explorer/fake_reader.hpp"

using namespace verbcast;
using explorer::fake_reader;
using explorer::half_heap;
using explorer::reader_log;
using explorer::reader_plan;
using explorer::scheduler;
using explorer::small_heap;
using explorer::stop_heap;

namespace {

/// What the callbacks of one stream see and say.
struct callbacks {
    bool none_may_run = false;  ///< stop() from outside has returned, or the stream is destroyed
    bool one_runs = false;
    unsigned stopped = 0;
    stop_reason::kind reason = stop_reason::kind::running;
    std::uint64_t packets = 0;
    std::function<void()> on_heap = {};
    std::function<void()> on_stopped = {};
};

class watched_sink final : public heap_sink {
public:
    watched_sink(scheduler& run, callbacks& calls) : run_(run), calls_(calls) {}
    ~watched_sink() override { run_.check(calls_.stopped == 1, "a sink is destroyed that was not told of the stop"); }

    void accept(heap_ref heap) override {
        enter();
        run_.check(calls_.stopped == 0, "a heap comes after stopped()");
        calls_.packets += heap->packets();
        run_.yield("in the callback with heap", heap->cnt());
        if (calls_.on_heap) calls_.on_heap();
        calls_.one_runs = false;
    }
    void stopped(const stop_reason& why) noexcept override {
        enter();
        run_.check(why.stopped(), "stopped() without a reason");
        ++calls_.stopped;
        calls_.reason = why.what;
        run_.yield("in stopped()");
        if (calls_.on_stopped) calls_.on_stopped();
        calls_.one_runs = false;
    }

private:
    void enter() {
        run_.check(!calls_.none_may_run, "a callback runs after stop() has returned");
        run_.check(!std::exchange(calls_.one_runs, true), "two callbacks run at the same time");
    }

    scheduler& run_;
    callbacks& calls_;
};

/// A stream with fake readers on a context of two threads.
struct bench {
    bench(scheduler& scheduler, const std::vector<const reader_plan*>& readers, const stream_config& config = {})
        : bench(scheduler, scheduler.make_context("io", 2), readers, config) {}
    bench(scheduler& scheduler, boost::asio::io_context& runs_on, const std::vector<const reader_plan*>& readers,
          const stream_config& config = {})
        : run(scheduler), context(runs_on) {
        const scheduler::quietly quiet(run);
        tested.emplace(context, std::make_unique<watched_sink>(run, calls), config);
        for (const reader_plan* const each : readers) add(*each);
    }

    bool add(const reader_plan& plan) {
        return tested->add_reader(std::make_unique<fake_reader>(run, context, plan, logs.emplace_back()));
    }
    void stop_from_outside() {
        tested->stop();
        calls.none_may_run = true;
        run.check(!calls.one_runs, "stop() has returned and a callback runs");
    }
    void destroy() {
        tested.reset();
        calls.none_may_run = true;
        for (const reader_log& log : logs) run.check(log.destroyed == 1, "the stream is gone and a reader is not");
    }
    std::uint64_t fed() const {
        std::uint64_t sum = 0;
        for (const reader_log& log : logs) sum += log.fed;
        return sum;
    }
    /// With nothing running any more.
    void check_account(std::uint64_t ignored = 0) {
        run.settle();
        const scheduler::quietly quiet(run);
        run.check(tested->reason().stopped(), "the stream has not stopped");
        run.check(calls.stopped == 1, "the sink was not told once of the stop");
        const packet_account account = tested->stats().account;
        run.check(account.balanced(), "the account does not balance");
        const bool all_counted = std::ranges::none_of(logs, &reader_log::threw);
        run.check(!all_counted || account.received == fed() + ignored,
                  "packets were received and not fed, or fed and not received");
        run.check(account.delivered_complete + account.delivered_incomplete == calls.packets,
                  "packets were delivered that the sink did not get");
        run.check(account.live == 0, "packets are live in a stream that has stopped");
    }

    scheduler& run;
    boost::asio::io_context& context;
    std::deque<reader_log> logs;
    callbacks calls;
    std::optional<stream> tested;
};

const reader_plan two_batches{.batches = {{small_heap(1)}, {small_heap(2), half_heap(3)}}};
const reader_plan one_batch{.batches = {{small_heap(11), half_heap(12)}}};
const reader_plan one_heap{.batches = {{small_heap(21)}}};
const reader_plan stop_item{.batches = {{small_heap(31), half_heap(32), stop_heap(33), small_heap(34)}}};
const reader_plan ending{.batches = {{small_heap(41)}}, .ends = true};

const auto for_ever = std::chrono::steady_clock::time_point::max();

}  // namespace

TEST_CASE("stop() from outside against two handlers in flight", "[explorer][stop]") {
    std::set<std::uint64_t> fed;
    const bool all = check_passed(explorer::explore("stop_two_handlers", {.preemptions_max = 3}, [&](scheduler& run) {
        bench bench(run, {&two_batches, &one_batch});
        bench.stop_from_outside();
        bench.check_account();
        fed.insert(bench.fed());
        bench.destroy();
    }));
    // The stops hit before, between and after the packets.
    if (all) CHECK(fed == std::set<std::uint64_t>{0, 1, 2, 3, 5});
}

TEST_CASE("a stop is heard in the middle of a batch", "[explorer][stop]") {
    reader_plan long_batch;
    for (std::uint64_t cnt = 1; cnt <= 130; ++cnt) {
        if (cnt == 1) long_batch.batches.emplace_back();
        long_batch.batches.back().push_back(small_heap(cnt));
    }
    std::set<std::uint64_t> fed;
    const bool all = check_passed(explorer::explore("stop_long_batch", {}, [&](scheduler& run) {
        bench bench(run, {&long_batch});
        bench.stop_from_outside();
        bench.check_account();
        fed.insert(bench.fed());
        bench.destroy();
    }));
    // Handlers look every 64 packets.
    if (all) CHECK(fed == std::set<std::uint64_t>{0, 64, 128, 130});
}

TEST_CASE("a stream is destroyed without stop() against two handlers in flight", "[explorer][stop]") {
    std::set<std::uint64_t> fed;
    const bool all = check_passed(explorer::explore("destroy_two_handlers", {}, [&](scheduler& run) {
        bench bench(run, {&two_batches, &one_batch});
        bench.destroy();
        run.settle();
        run.check(bench.calls.stopped == 1 && bench.calls.reason == stop_reason::kind::destroyed,
                  "the sink was not told once that the stream was destroyed");
        fed.insert(bench.fed());
    }));
    if (all) CHECK(fed == std::set<std::uint64_t>{0, 1, 2, 3, 5});
}

TEST_CASE("two threads stop a stream at the same time, and both may rely on it", "[explorer][stop]") {
    check_passed(explorer::explore("stop_twice", {}, [](scheduler& run) {
        bench bench(run, {&two_batches});
        run.spawn("other stopper", [&] { bench.stop_from_outside(); });
        bench.stop_from_outside();
        bench.check_account();
        bench.destroy();
    }));
}

TEST_CASE("a callback stops its own stream", "[explorer][stop]") {
    check_passed(explorer::explore("stop_from_callback", {}, [](scheduler& run) {
        bench bench(run, {&two_batches, &one_batch});
        bench.calls.on_heap = [&] { bench.tested->stop(); };
        bench.check_account();
        bench.destroy();
    }));
}

TEST_CASE("a callback stops its own stream while someone else does", "[explorer][stop]") {
    check_passed(explorer::explore("stop_from_callback_and_outside", {}, [](scheduler& run) {
        bench bench(run, {&two_batches, &one_batch});
        bench.calls.on_heap = [&] { bench.tested->stop(); };
        bench.stop_from_outside();
        bench.check_account();
        bench.destroy();
    }));
}

TEST_CASE("the last callback may call stop()", "[explorer][stop]") {
    check_passed(explorer::explore("stop_from_stopped", {}, [](scheduler& run) {
        bench bench(run, {&one_batch, &ending});
        bench.calls.on_stopped = [&] { bench.tested->stop(); };
        bench.stop_from_outside();
        bench.check_account();
        bench.destroy();
    }));
}

TEST_CASE("two streams whose callbacks stop each other", "[explorer][stop]") {
    std::set<std::pair<unsigned, unsigned>> heaps_seen;
    const bool all = check_passed(explorer::explore("stop_each_other", {}, [&](scheduler& run) {
        bench a(run, {&two_batches});
        bench b(run, a.context, {&one_batch});
        unsigned a_heaps = 0;
        unsigned b_heaps = 0;
        a.calls.on_heap = [&] { ++a_heaps, b.tested->stop(); };
        b.calls.on_heap = [&] { ++b_heaps, a.tested->stop(); };
        run.settle();
        run.check(a_heaps == 0 || b.tested->reason().stopped(), "a mark on b was lost");
        run.check(b_heaps == 0 || a.tested->reason().stopped(), "a mark on a was lost");
        heaps_seen.emplace(a_heaps, b_heaps);
        a.stop_from_outside();
        b.stop_from_outside();
        a.check_account();
        b.check_account();
        a.destroy();
        b.destroy();
    }));
    if (all) CHECK(heaps_seen.contains({1, 1}));
    if (all) CHECK(heaps_seen.contains({0, 1}));
}

TEST_CASE("two streams whose last callbacks stop each other", "[explorer][stop]") {
    check_passed(explorer::explore("stopped_stop_each_other", {}, [](scheduler& run) {
        bench a(run, {&one_heap});
        bench b(run, a.context, {&one_batch});
        a.calls.on_stopped = [&] { b.tested->stop(); };
        b.calls.on_stopped = [&] { a.tested->stop(); };
        run.spawn("stopper of b", [&] { b.stop_from_outside(); });
        a.stop_from_outside();
        a.check_account();
        b.check_account();
        a.destroy();
        b.destroy();
    }));
}

TEST_CASE("a snapshot may be taken at any time, also while callbacks stop the stream", "[explorer][stop]") {
    check_passed(explorer::explore("snapshot", {}, [](scheduler& run) {
        bench a(run, {&one_heap});
        bench b(run, a.context, {&one_heap});
        bool marked = false;
        a.calls.on_heap = [&] {
            b.tested->stop();
            marked = true;
        };
        run.spawn("reporter", [&] { run.check(b.tested->stats().account.balanced(), "the account does not balance"); });
        run.settle();
        run.check(marked && b.tested->reason().stopped(), "a mark on b was lost");
        a.stop_from_outside();
    }));
}

TEST_CASE("a callback marks a stream that is stopped from outside", "[explorer][stop]") {
    check_passed(explorer::explore("mark_and_stop", {}, [](scheduler& run) {
        bench a(run, {&one_heap});
        bench b(run, a.context, {&two_batches});
        a.calls.on_heap = [&] { b.tested->stop(); };
        b.stop_from_outside();
        b.check_account();
        b.destroy();
        a.stop_from_outside();
        a.check_account();
    }));
}

TEST_CASE("a callback marks a stream that is then destroyed", "[explorer][stop]") {
    std::set<bool> in_time;
    const bool all = check_passed(explorer::explore("mark_and_destroy", {}, [&](scheduler& run) {
        bench a(run, {&one_heap});
        bench b(run, a.context, {});
        bool marked = false;
        a.calls.on_heap = [&] {
            b.tested->stop();
            marked = true;
            run.yield("after the mark");
        };
        run.yield("before the destruction");
        in_time.insert(marked);
        if (!marked) run.settle();
        b.destroy();
        a.stop_from_outside();
        a.check_account();
    }));
    if (all) CHECK(in_time == std::set{false, true});
}

TEST_CASE("a stop item against a user's stop", "[explorer][stop]") {
    std::set<stop_reason::kind> reasons;
    const bool all = check_passed(explorer::explore("stop_item_and_stop", {}, [&](scheduler& run) {
        bench bench(run, {&stop_item, &one_batch});
        bench.stop_from_outside();
        bench.check_account();
        const stop_reason::kind reason = bench.tested->reason().what;
        const packet_account account = bench.tested->stats().account;
        if (reason == stop_reason::kind::stop_item)
            run.check(account.dropped_user_stop == 0, "a network stop dropped what was in flight");
        reasons.insert(reason);
        bench.destroy();
    }));
    if (all) CHECK(reasons == std::set{stop_reason::kind::stop_item, stop_reason::kind::user_stop});
}

TEST_CASE("the last reader's end against stop()", "[explorer][stop]") {
    std::set<stop_reason::kind> reasons;
    const bool all = check_passed(explorer::explore("readers_end_and_stop", {}, [&](scheduler& run) {
        bench bench(run, {&ending, &ending});
        bench.stop_from_outside();
        bench.check_account();
        reasons.insert(bench.tested->reason().what);
        bench.destroy();
    }));
    if (all) CHECK(reasons == std::set{stop_reason::kind::readers_ended, stop_reason::kind::user_stop});
}

TEST_CASE("a reader ends and is released while another goes on, against stop()", "[explorer][stop]") {
    check_passed(explorer::explore("one_reader_ends_and_stop", {}, [](scheduler& run) {
        const reader_plan late{.batches = {{small_heap(1)}}, .ends = true, .ignored_after_stop = 5};
        bench bench(run, {&late, &two_batches});
        bench.stop_from_outside();
        bench.check_account(5);
        bench.destroy();
        for (const reader_log& log : bench.logs) run.check(log.released == 1, "a reader was not released once");
    }));
}

TEST_CASE("with stop_on_first_end one of two ends stops the stream", "[explorer][stop]") {
    check_passed(explorer::explore("first_end", {}, [](scheduler& run) {
        bench bench(run, {&ending, &two_batches, &ending}, {.stop_on_first_end = true});
        bench.check_account();
        run.check(bench.tested->reason().what == stop_reason::kind::readers_ended, "the stream has another reason");
        bench.destroy();
    }));
}

TEST_CASE("a reader fails while another goes on, which is the stream's end only when that is wanted",
          "[explorer][stop]") {
    for (const bool first_end : {false, true}) {
        check_passed(explorer::explore(first_end ? "fails_first_end" : "fails_goes_on", {}, [=](scheduler& run) {
            const reader_plan failing{.batches = {{small_heap(1)}}, .fails = true};
            bench bench(run, {&failing, &two_batches}, {.stop_on_first_end = first_end});
            run.settle();
            run.check(bench.tested->reason().failed() == first_end, "the stream's end is not what was asked for");
            run.check(bench.logs[0].stopped == 1 && bench.logs[0].released == 1, "the reader that failed has not left");
            bench.stop_from_outside();
            bench.check_account();
            bench.destroy();
        }));
    }
}

TEST_CASE("a sink that throws against stop()", "[explorer][stop]") {
    std::set<stop_reason::kind> reasons;
    const bool all = check_passed(explorer::explore("throw_and_stop", {}, [&](scheduler& run) {
        bench bench(run, {&one_batch, &one_heap});
        bench.calls.on_heap = [&] {
            bench.calls.one_runs = false;
            bench.calls.packets -= 1;
            throw std::runtime_error("thrown by the sink");
        };
        bench.stop_from_outside();
        bench.check_account();
        reasons.insert(bench.tested->reason().what);
        bench.destroy();
    }));
    if (all) CHECK(reasons == std::set{stop_reason::kind::error, stop_reason::kind::user_stop});
}

TEST_CASE("after a callback has thrown no heap is given to the user", "[explorer][stop]") {
    check_passed(explorer::explore("throw_before_live_heaps", {}, [](scheduler& run) {
        const reader_plan plan{.batches = {{half_heap(1), small_heap(2)}}};
        bench bench(run, {&plan});
        bool thrown = false;
        bench.calls.on_heap = [&] {
            run.check(!std::exchange(thrown, true), "a heap comes after a callback has thrown");
            bench.calls.one_runs = false;
            bench.calls.packets -= 1;
            throw std::runtime_error("thrown by the sink");
        };
        bench.check_account();
        run.check(bench.tested->stats().account.dropped_error == 2, "packets are not counted as dropped by the error");
        bench.destroy();
    }));
}

TEST_CASE("add_reader() against stop()", "[explorer][stop]") {
    std::set<bool> added;
    const bool all = check_passed(explorer::explore("add_reader_and_stop", {}, [&](scheduler& run) {
        bench bench(run, {&one_heap});
        run.spawn("adder", [&] { added.insert(bench.add(one_batch)); });
        bench.stop_from_outside();
        bench.check_account();
        run.check(!bench.add(one_batch), "a reader was added to a stream that has stopped");
        bench.destroy();
    }));
    if (all) CHECK(added == std::set{false, true});
}

TEST_CASE("a callback adds a reader against stop()", "[explorer][stop]") {
    std::set<bool> added;
    const bool all = check_passed(explorer::explore("add_from_callback_and_stop", {}, [&](scheduler& run) {
        bench bench(run, {&one_heap});
        bench.calls.on_heap = [&] {
            if (bench.logs.size() == 1) added.insert(bench.add(one_batch));
        };
        bench.calls.on_stopped = [&] { run.check(!bench.add(one_batch), "a reader was added to a stream that ends"); };
        bench.stop_from_outside();
        bench.check_account();
        bench.destroy();
    }));
    if (all) CHECK(added == std::set{true});
}

TEST_CASE("an explicit start() against stop()", "[explorer][stop]") {
    check_passed(explorer::explore("start_and_stop", {}, [](scheduler& run) {
        bench bench(run, {&one_heap, &one_batch}, {.explicit_start = true});
        run.spawn("starter", [&] { bench.tested->start(); });
        bench.stop_from_outside();
        bench.check_account();
        bench.destroy();
    }));
}

TEST_CASE("readers of an explicit start() are all there before one of them can end", "[explorer][stop]") {
    check_passed(explorer::explore("start_all", {}, [](scheduler& run) {
        const reader_plan other{.batches = {{small_heap(1)}}, .ends = true};
        bench bench(run, {&ending, &other}, {.explicit_start = true});
        bench.tested->start();
        bench.check_account();
        run.check(bench.fed() == 2, "a reader came too late: the stream had ended with the other one");
        bench.destroy();
    }));
}

TEST_CASE("the posted release against the destructor: one of them does it", "[explorer][stop]") {
    check_passed(explorer::explore("release_and_destroy", {}, [](scheduler& run) {
        bench bench(run, {&one_heap, &ending});
        bench.stop_from_outside();
        bench.destroy();
        run.settle();
        for (const reader_log& log : bench.logs) run.check(log.released == 1, "a reader was not released once");
    }));
}

TEST_CASE("after wait_released() the account is final", "[explorer][stop]") {
    std::set<bool> in_time;
    const bool all = check_passed(explorer::explore("wait_released", {}, [&](scheduler& run) {
        const reader_plan late{.batches = {{small_heap(1)}}, .ignored_after_stop = 5};
        bench bench(run, {&late, &one_heap});
        bench.stop_from_outside();
        const bool released = bench.tested->wait_released(std::chrono::steady_clock::now() + std::chrono::hours(1));
        in_time.insert(released);
        if (released) {
            const scheduler::quietly quiet(run);
            for (const reader_log& log : bench.logs) run.check(log.released == 1, "a reader was not released");
            const packet_account account = bench.tested->stats().account;
            run.check(account.ignored[ignore_reason::after_stop] == 5, "the account is not final");
        }
        run.check(bench.tested->wait_released(for_ever), "a wait without end came to one");
        bench.check_account(5);
        bench.destroy();
    }));
    if (all) CHECK(in_time == std::set{false, true});
}

TEST_CASE("a stream must not be destroyed from a callback, not even another stream's", "[explorer][stop]") {
    const auto verdict = explorer::explore("destroy_from_callback", {}, [](scheduler& run) {
        bench a(run, {&one_heap});
        bench b(run, a.context, {&one_heap});
        a.calls.on_heap = [&] { b.destroy(); };
        run.settle();
        a.stop_from_outside();
    });
    REQUIRE(verdict.found);
    CHECK_THAT(verdict.found->what, Catch::Contains("assertion failed") && Catch::Contains("callback"));
}
