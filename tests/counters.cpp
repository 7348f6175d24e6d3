// SPDX-License-Identifier: BSD-3-Clause
#include "src/counters.hpp"

#include <catch2/catch.hpp>

using namespace verbcast;

TEST_CASE("what a released reader found stays in the account when the stream goes on", "[counters]") {
    counters counted({});
    const std::uint32_t group = counted.add_group("239.2.1.150:7148");
    counted.add_released({.groups = {{.group = group, .ignored_after_stop = 3, .kernel_drops = 2}}});
    counted.ignore(group, ignore_reason::empty, 1);
    counted.publish();

    const stream_stats stats = counted.snapshot({});
    CHECK(stats.account.received == 4);
    CHECK(stats.account.ignored[ignore_reason::after_stop] == 3);
    REQUIRE(stats.groups.size() == 1);
    CHECK(stats.groups[0].received == 4);
    CHECK(stats.groups[0].ignored[ignore_reason::after_stop] == 3);
    CHECK(stats.groups[0].kernel_buffers_dropped == 2U);
    CHECK(stats.lost.kernel_buffers == 2U);
}

TEST_CASE("kernel drops are absent until somebody counts them, and add up", "[counters]") {
    counters counted({});
    const std::uint32_t group = counted.add_group("239.2.1.150:7148");
    counted.publish();
    CHECK_FALSE(counted.snapshot({}).lost.kernel_buffers);

    counted.add_kernel_drops(group, 0);
    counted.publish();
    CHECK(counted.snapshot({}).lost.kernel_buffers == 0U);

    counted.add_kernel_drops(group, 5);
    counted.add_kernel_drops(group, 2);
    counted.publish();
    CHECK(counted.snapshot({}).groups.at(0).kernel_buffers_dropped == 7U);
}
