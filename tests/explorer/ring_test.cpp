// SPDX-License-Identifier: BSD-3-Clause
// The ring between readers and consumers: full, empty, closed, and at the moments between.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <poll.h>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

#include "support/packet_builder.hpp"
#include "tests/explorer/check.hpp"
#include "tests/explorer/explore.hpp"
#include "tests/explorer/fake_reader.hpp"
#include "tests/explorer/scheduled_executor.hpp"

using namespace verbcast;
using explorer::fake_reader;
using explorer::half_heap;
using explorer::reader_log;
using explorer::reader_plan;
using explorer::scheduler;
using explorer::small_heap;

namespace {

/// What a consumer took.
struct taken {
    std::vector<std::uint64_t> cnts;
    bool saw_end = false;

    void add(const pop_result& popped) {
        if (popped) cnts.push_back(popped.heap->cnt());
        saw_end = saw_end || popped.status == pop_status::stopped;
    }
};

/// A ring with fake readers on a context of one thread or more.
struct bench {
    bench(scheduler& scheduler, const std::vector<const reader_plan*>& readers, const ring_stream_config& config,
          unsigned threads = 1)
        : run(scheduler), context(run.make_context("io", threads)) {
        const scheduler::quietly quiet(run);
        tested.emplace(context, config);
        source.emplace(tested->source());
        for (const reader_plan* const each : readers)
            tested->add_reader(std::make_unique<fake_reader>(run, context, *each, logs.emplace_back()));
    }

    void spawn_consumer(const char* name, taken& into) {
        run.spawn(name, [this, &into] {
            heap_source mine = *source;
            while (!into.saw_end) into.add(mine.pop());
        });
    }
    /// All that is left in the ring, once nothing runs any more.
    void drain(taken& into) {
        run.settle();
        const scheduler::quietly quiet(run);
        while (!into.saw_end) {
            const pop_result popped = source->try_pop();
            run.check(popped.status != pop_status::empty, "a ring that is closed is empty and not at its end");
            into.add(popped);
        }
    }
    std::uint64_t fed() const {
        std::uint64_t sum = 0;
        for (const reader_log& log : logs) sum += log.fed;
        return sum;
    }
    /// With nothing running any more. Heaps have one packet each.
    packet_account check_account(std::uint64_t popped) {
        run.settle();
        const scheduler::quietly quiet(run);
        run.check(tested->reason().stopped(), "the stream has not stopped");
        run.check(source->reason().what == tested->reason().what, "the ring has another reason than the stream");
        const packet_account account = tested->stats().account;
        run.check(account.balanced(), "the account does not balance");
        run.check(account.received == fed(), "packets were received and not fed, or fed and not received");
        run.check(account.delivered_complete == popped, "packets were delivered that nobody popped");
        run.check(account.in_ring == source->size(), "the account and the ring do not agree on what is in it");
        return account;
    }

    scheduler& run;
    boost::asio::io_context& context;
    std::deque<reader_log> logs;
    std::optional<ring_stream> tested;
    std::optional<heap_source> source;
};

bool rises(const std::vector<std::uint64_t>& cnts) {
    return std::ranges::is_sorted(cnts) && std::ranges::adjacent_find(cnts) == cnts.end();
}

const reader_plan three_heaps{
    .batches = {{small_heap(1), small_heap(2), small_heap(3)}}, .lossless = true, .ends = true};
const reader_plan three_batches{
    .batches = {{small_heap(1)}, {small_heap(2)}, {small_heap(3)}}, .lossless = true, .ends = true};
const reader_plan two_heaps{.batches = {{small_heap(1), small_heap(2)}}, .lossless = true};
const reader_plan two_ending{.batches = {{small_heap(1), small_heap(2)}}, .lossless = true, .ends = true};
const reader_plan lossy{.batches = {{small_heap(1), small_heap(2)}, {small_heap(3), small_heap(4)}}, .ends = true};
const reader_plan more_lossy{.batches = {{small_heap(11)}, {small_heap(12)}}, .ends = true};

const ring_stream_config one_place{.heaps = 1};

}  // namespace

TEST_CASE("with wait nothing is lost, and a parked reader is always resumed", "[explorer][ring]") {
    for (const reader_plan* const plan : {&three_heaps, &three_batches}) {
        const char* const name = plan == &three_heaps ? "wait_one_batch" : "wait_batches";
        check_passed(explorer::explore(name, {}, [=](scheduler& run) {
            bench bench(run, {plan}, one_place);
            taken heaps;
            while (!heaps.saw_end) heaps.add(bench.tested->pop());
            run.check(heaps.cnts == std::vector<std::uint64_t>{1, 2, 3}, "heaps are lost or out of order");
            bench.check_account(3);
        }));
    }
}

TEST_CASE("with wait two consumers get every heap once", "[explorer][ring]") {
    check_passed(explorer::explore("wait_two_consumers", {.preemptions_max = 1}, [](scheduler& run) {
        bench bench(run, {&three_heaps}, one_place);
        taken mine;
        taken other;
        bench.spawn_consumer("consumer", other);
        while (!mine.saw_end) mine.add(bench.tested->pop());
        run.settle();
        run.check(rises(mine.cnts) && rises(other.cnts), "a consumer gets heaps out of order");
        std::vector<std::uint64_t> all = mine.cnts;
        all.insert(all.end(), other.cnts.begin(), other.cnts.end());
        std::ranges::sort(all);
        run.check(all == std::vector<std::uint64_t>{1, 2, 3}, "a heap is lost or popped twice");
        bench.check_account(3);
    }));
}

TEST_CASE("with wait two readers park and both are resumed", "[explorer][ring]") {
    check_passed(explorer::explore("wait_two_readers", {.preemptions_max = 1}, [](scheduler& run) {
        const reader_plan other{.batches = {{small_heap(11), small_heap(12)}}, .lossless = true, .ends = true};
        bench bench(run, {&three_heaps, &other}, one_place, 2);
        taken heaps;
        while (!heaps.saw_end) heaps.add(bench.tested->pop());
        run.check(heaps.cnts.size() == 5, "heaps are lost");
        bench.check_account(5);
    }));
}

TEST_CASE("a pop, a stop and a parked reader race for it: one takes the reader", "[explorer][ring]") {
    std::set<std::uint64_t> fed;
    const bool all = check_passed(explorer::explore("parked_pop_stop", {}, [&](scheduler& run) {
        bench bench(run, {&three_heaps}, one_place);
        taken heaps;
        bench.spawn_consumer("consumer", heaps);
        bench.tested->stop();
        run.settle();
        bench.drain(heaps);
        run.check(rises(heaps.cnts), "heaps are out of order");
        bench.check_account(heaps.cnts.size());
        fed.insert(bench.fed());
    }));
    if (all) CHECK(fed == std::set<std::uint64_t>{0, 1, 2, 3});
}

TEST_CASE("a pop, the destructor and a parked reader race for it: one takes the reader", "[explorer][ring]") {
    check_passed(explorer::explore("parked_pop_destroy", {}, [](scheduler& run) {
        bench bench(run, {&three_heaps}, one_place);
        taken heaps;
        bench.spawn_consumer("consumer", heaps);
        bench.tested.reset();
        run.close(bench.context);
        run.check(bench.logs[0].destroyed == 1, "the stream is gone and its reader is not");
        run.settle();
        run.check(rises(heaps.cnts) && heaps.cnts.size() == bench.fed(), "heaps are out of order or lost");
    }));
}

TEST_CASE("a parked reader, a pop, a stop and the destructor", "[explorer][ring]") {
    check_passed(explorer::explore("parked_pop_stop_destroy", {}, [](scheduler& run) {
        bench bench(run, {&two_heaps}, one_place, 2);
        taken heaps;
        bench.spawn_consumer("consumer", heaps);
        bench.tested->stop();
        bench.tested.reset();
        run.close(bench.context);
        run.settle();
        run.check(rises(heaps.cnts) && heaps.cnts.size() == bench.fed(), "heaps are out of order or lost");
    }));
}

TEST_CASE("the reason of a reader that fails comes behind the heaps before it", "[explorer][ring]") {
    std::set<stop_reason::kind> reasons;
    const bool all = check_passed(explorer::explore("reader_fails", {.preemptions_max = 1}, [&](scheduler& run) {
        const reader_plan failing{.batches = two_heaps.batches, .lossless = true, .fails = true};
        bench bench(run, {&failing}, one_place);
        run.spawn("stopper", [&] { bench.tested->stop(); });
        taken heaps;
        while (!heaps.saw_end) heaps.add(bench.tested->pop());
        run.check(!bench.source->reason().failed() || heaps.cnts.size() == 2, "a heap before the error is lost");
        reasons.insert(bench.source->reason().what);
        bench.check_account(heaps.cnts.size());
    }));
    if (all) CHECK(reasons == std::set{stop_reason::kind::error, stop_reason::kind::user_stop});
}

TEST_CASE("a blocked pop gets the next heap of a stream that goes on", "[explorer][ring]") {
    check_passed(explorer::explore("pop_goes_on", {}, [](scheduler& run) {
        bench bench(run, {&two_heaps}, {.heaps = 2});
        taken heaps;
        for (int i = 0; i < 2; ++i) heaps.add(bench.tested->pop());
        run.check(heaps.cnts == std::vector<std::uint64_t>{1, 2}, "heaps are lost or out of order");
        bench.tested->stop();
        bench.check_account(2);
    }));
}

TEST_CASE("a blocked pop returns when the stream is stopped or destroyed", "[explorer][ring]") {
    for (const bool destroys : {false, true}) {
        check_passed(explorer::explore(destroys ? "pop_destroy" : "pop_stop", {}, [=](scheduler& run) {
            bench bench(run, {}, one_place);
            taken first;
            taken second;
            bench.spawn_consumer("consumer 1", first);
            bench.spawn_consumer("consumer 2", second);
            if (destroys)
                bench.tested.reset();
            else
                bench.tested->stop();
            run.settle();
            run.check(bench.source->reason().stopped(), "a pop was told of an end that the ring does not know");
        }));
    }
}

TEST_CASE("a pop with a deadline gets a heap, or the end, or nothing, and nothing is lost", "[explorer][ring]") {
    std::set<pop_status> seen;
    const bool all = check_passed(explorer::explore("pop_for", {}, [&](scheduler& run) {
        bench bench(run, {&three_batches}, {.heaps = 2});
        taken heaps;
        const pop_result popped = bench.tested->pop_for(std::chrono::hours(1));
        seen.insert(popped.status);
        heaps.add(popped);
        while (!heaps.saw_end) heaps.add(bench.tested->pop());
        run.check(heaps.cnts == std::vector<std::uint64_t>{1, 2, 3}, "heaps are lost or out of order");
        bench.check_account(3);
    }));
    if (all) CHECK(seen.contains(pop_status::ok));
    if (all) CHECK(seen.contains(pop_status::empty));
}

TEST_CASE("what is in flight at a network stop fits into a full ring, with every policy", "[explorer][ring]") {
    const reader_plan plan{
        .batches = {{small_heap(1), small_heap(2)}, {half_heap(3), half_heap(4), explorer::stop_heap(5)}},
        .lossless = true};
    for (const full_policy policy : {full_policy::wait, full_policy::drop_newest, full_policy::drop_oldest}) {
        const char* const name = policy == full_policy::wait          ? "flush_wait"
                                 : policy == full_policy::drop_newest ? "flush_drop_newest"
                                                                      : "flush_drop_oldest";
        check_passed(explorer::explore(name, {}, [&plan, policy](scheduler& run) {
            bench bench(run, {&plan}, {.heaps = 1, .when_full = policy, .incomplete = incomplete_policy::deliver});
            taken heaps;
            while (!heaps.saw_end) heaps.add(bench.tested->pop());
            run.check(std::ranges::count(heaps.cnts, 3) == 1 && std::ranges::count(heaps.cnts, 4) == 1,
                      "a heap that was in flight is lost");
            run.settle();
            const scheduler::quietly quiet(run);
            const packet_account account = bench.tested->stats().account;
            run.check(account.balanced() && account.stop_heap == 1, "the account does not balance");
            run.check(account.delivered_complete + account.dropped_ring_full == 2, "a complete heap is lost");
            run.check(account.delivered_incomplete == 2, "a heap in flight was not counted as delivered");
        }));
    }
}

TEST_CASE("with drop_newest and drop_oldest every heap is popped or counted", "[explorer][ring]") {
    bool all = true;
    std::set<std::uint64_t> dropped;
    for (const full_policy policy : {full_policy::drop_newest, full_policy::drop_oldest}) {
        const char* const name = policy == full_policy::drop_newest ? "drop_newest" : "drop_oldest";
        all &= check_passed(explorer::explore(name, {}, [&](scheduler& run) {
            bench bench(run, {&lossy}, {.heaps = 1, .when_full = policy});
            taken heaps;
            while (!heaps.saw_end) heaps.add(bench.tested->pop());
            run.check(rises(heaps.cnts), "heaps are out of order");
            const packet_account account = bench.check_account(heaps.cnts.size());
            run.check(account.dropped_ring_full + heaps.cnts.size() == 4, "a heap is neither popped nor counted");
            dropped.insert(account.dropped_ring_full);
        }));
    }
    if (all) CHECK(std::ranges::includes(dropped, std::set<std::uint64_t>{1, 2, 3}));
}

TEST_CASE("with drop_oldest two readers push while a consumer pops and another stops the stream", "[explorer][ring]") {
    check_passed(explorer::explore("drop_oldest_stop", {.preemptions_max = 1}, [](scheduler& run) {
        bench bench(run, {&lossy, &more_lossy}, {.heaps = 1, .when_full = full_policy::drop_oldest}, 2);
        taken heaps;
        bench.spawn_consumer("consumer", heaps);
        bench.tested->stop();
        bench.drain(heaps);
        const packet_account account = bench.check_account(heaps.cnts.size());
        run.check(account.dropped_ring_full + heaps.cnts.size() == bench.fed(), "a heap is neither popped nor counted");
    }));
}

TEST_CASE("an asynchronous pop completes once: with a heap, at the end, or cancelled", "[explorer][ring]") {
    std::set<int> seen;
    const bool all = check_passed(explorer::explore("async_pop", {}, [&](scheduler& run) {
        bench bench(run, {&three_heaps}, one_place);
        const explorer::scheduled_executor executor(run.make_context("consumer", 1));
        boost::asio::cancellation_signal cancel;
        unsigned completed = 0;
        std::uint64_t popped = 0;
        {
            const scheduler::quietly quiet(run);
            bench.source->async_pop(boost::asio::bind_cancellation_slot(
                cancel.slot(),
                boost::asio::bind_executor(executor, [&](boost::system::error_code error, heap_ref heap) {
                    ++completed;
                    run.check(static_cast<bool>(heap) == !error,
                              "a pop completes with both or neither of heap and error");
                    popped += static_cast<bool>(heap);
                    seen.insert(error.value());
                })));
        }
        cancel.emit(boost::asio::cancellation_type::all);
        bench.tested->stop();
        run.settle();
        run.check(completed == 1, "an asynchronous pop does not complete once");
        taken heaps;
        bench.drain(heaps);
        bench.check_account(heaps.cnts.size() + popped);
    }));
    if (all) CHECK(seen == std::set<int>{0, boost::asio::error::operation_aborted});
}

TEST_CASE("an asynchronous pop of a stream that is destroyed completes with operation_aborted", "[explorer][ring]") {
    std::set<int> seen;
    const bool all = check_passed(explorer::explore("async_pop_destroy", {}, [&](scheduler& run) {
        bench bench(run, {&two_heaps}, one_place);
        const explorer::scheduled_executor executor(run.make_context("consumer", 1));
        unsigned completed = 0;
        bench.source->async_pop(boost::asio::bind_executor(executor, [&](boost::system::error_code error, heap_ref) {
            ++completed;
            seen.insert(error.value());
        }));
        bench.tested.reset();
        run.settle();
        run.check(completed == 1, "an asynchronous pop does not complete once");
    }));
    if (all) CHECK(seen == std::set<int>{0, boost::asio::error::operation_aborted});
}

TEST_CASE("an asynchronous and a blocking pop wait at the same ring", "[explorer][ring]") {
    check_passed(explorer::explore("async_and_blocking_pop", {}, [](scheduler& run) {
        bench bench(run, {&two_ending}, one_place);
        const explorer::scheduled_executor executor(run.make_context("consumer", 1));
        taken heaps;
        std::uint64_t popped = 0;
        bench.source->async_pop(boost::asio::bind_executor(
            executor, [&](boost::system::error_code, heap_ref heap) { popped += static_cast<bool>(heap); }));
        while (!heaps.saw_end) heaps.add(bench.tested->pop());
        run.settle();
        bench.check_account(heaps.cnts.size() + popped);
        run.check(heaps.cnts.size() + popped == 2, "a heap is lost");
    }));
}

TEST_CASE("the descriptor says in the end whether a pop would wait", "[explorer][ring]") {
    for (const bool ends : {false, true}) {
        const reader_plan plan{.batches = two_heaps.batches, .lossless = true, .ends = ends};
        std::set<bool> seen;
        const bool all =
            check_passed(explorer::explore(ends ? "descriptor_closed" : "descriptor", {}, [&](scheduler& run) {
                bench bench(run, {&plan}, {.heaps = 2});
                pollfd watched{.fd = bench.source->descriptor(), .events = POLLIN, .revents = 0};
                for (int i = 0; i < 2; ++i) bench.tested->try_pop();
                run.settle();
                const scheduler::quietly quiet(run);
                const bool readable = ::poll(&watched, 1, 0) == 1;
                run.check(readable == (ends || bench.source->size() != 0),
                          "the descriptor does not agree with the ring");
                seen.insert(readable);
            }));
        if (all) CHECK(seen == (ends ? std::set{true} : std::set{false, true}));
    }
}

TEST_CASE("memory_reader against stop() and a consumer", "[explorer][ring]") {
    const test::bytes input = test::join({small_heap(1), small_heap(2), small_heap(3)});
    std::set<std::size_t> popped;
    const bool all = check_passed(explorer::explore("memory_reader", {}, [&](scheduler& run) {
        bench bench(run, {}, one_place, 2);
        taken heaps;
        bench.spawn_consumer("consumer", heaps);
        run.check(bench.tested->add_reader(memory_reader_config{.bytes = input}), "a reader was not added");
        bench.tested->stop();
        bench.drain(heaps);
        run.check(rises(heaps.cnts), "heaps are out of order");
        const packet_account account = bench.tested->stats().account;
        run.check(account.balanced() && account.delivered_complete == heaps.cnts.size() &&
                      account.received == heaps.cnts.size(),
                  "the account does not balance");
        popped.insert(heaps.cnts.size());
    }));
    if (all) CHECK(popped == std::set<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("many readers, consumers and stoppers under random schedules", "[explorer][ring]") {
    check_passed(explorer::explore_randomly("many", {.schedules = 3000}, [](scheduler& run) {
        bench bench(run, {&lossy, &more_lossy, &three_batches}, {.heaps = 2, .when_full = full_policy::wait}, 3);
        taken first;
        taken second;
        bench.spawn_consumer("consumer 1", first);
        bench.spawn_consumer("consumer 2", second);
        run.spawn("stopper", [&] { bench.tested->stop(); });
        bench.tested->stop();
        run.settle();
        run.check(first.cnts.size() + second.cnts.size() == bench.fed(), "heaps are lost");
        bench.check_account(first.cnts.size() + second.cnts.size());
        bench.tested.reset();
    }));
}
