// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch.hpp>

#include "tools/pacer.hpp"
#include "tools/rate_meter.hpp"

using namespace verbcast::tools;
using namespace std::chrono_literals;

namespace {

const pacer::clock::time_point start{};

}  // namespace

TEST_CASE("each burst moves the deadline on by the time it takes at the rate") {
    pacer paced(8.0, start);  // a byte a nanosecond
    paced.sent(1000, start);
    CHECK(paced.due() == start + 1000ns);
    paced.sent(500, start + 1000ns);
    CHECK(paced.due() == start + 1500ns);
}

TEST_CASE("a burst that left late does not delay the next ones") {
    pacer paced(8.0, start);
    paced.sent(1000, start + 300ns);
    paced.sent(1000, start + 1300ns);
    CHECK(paced.due() == start + 2000ns);
}

TEST_CASE("after a long delay no more than the bound is caught up with") {
    pacer paced(8.0, start);
    paced.sent(1000, start + 5s);
    CHECK(paced.due() == start + 5s - pacer::catch_up_max);
}

TEST_CASE("without a rate the next burst may go at once") {
    pacer paced(std::nullopt, start);
    paced.sent(1'000'000, start + 3ms);
    CHECK(paced.due() == start + 3ms);
}

TEST_CASE("a sleep ends when it should, and not before") {
    const auto due = pacer::clock::now() + 30ms;
    sleep_until(due, [] { return false; });
    CHECK(pacer::clock::now() >= due);
}

TEST_CASE("a sleep that is interrupted ends early") {
    const auto began = pacer::clock::now();
    int asked = 0;
    sleep_until(began + 1h, [&] { return ++asked > 2; });
    CHECK(pacer::clock::now() < began + 10s);
}

TEST_CASE("rates are of the time since the last question, and overall since the start") {
    rate_meter meter(start);
    const traffic_rates first = meter.since_last({.packets = 1000, .heaps = 10, .bytes = 1'250'000}, start + 1s);
    CHECK(first.gbps == Approx(0.01));
    CHECK(first.packets_per_second == Approx(1000));
    CHECK(first.heaps_per_second == Approx(10));
    const traffic_counts later{.packets = 1500, .heaps = 10, .bytes = 2'500'000};
    CHECK(meter.overall(later, start + 3s).packets_per_second == Approx(500));
    const traffic_rates second = meter.since_last(later, start + 3s);
    CHECK(second.seconds == Approx(3));
    CHECK(second.packets_per_second == Approx(250));
    CHECK(second.gbps == Approx(0.005));
}

TEST_CASE("no time is no rate") { CHECK(rate_meter(start).overall({.packets = 5}, start).packets_per_second == 0); }
