// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame_queue.hpp"

#include <chrono>
#include <functional>
#include <vector>

#include <catch2/catch.hpp>

#include "softroce/bench.hpp"
#include "softroce/roce_socket.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;

namespace {

bool poll_until(verbs::frame_queue& queue, const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!reached()) {
        REQUIRE(queue.poll() >= 0);
        if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("a datagram queue pair that broke down receives again when it is revived", "[softroce]") {
    const std::vector<verbs::flow_match> matches{{.destination = *verbs::ip_address::from_string(first_group)}};
    verbs::frame_queue queue(verbs::device("veth1"),
                             {.buffer_bytes = 64_KiB, .datagram_bytes_max = 4096, .datagram_key = default_queue_key},
                             matches);
    queue.end_reception();  // puts it into the error state
    CHECK(queue.is_dead());
    REQUIRE(poll_until(queue, [&] { return queue.posted() == 0; }));
    REQUIRE(queue.revive() == 0);
    CHECK_FALSE(queue.is_dead());
    CHECK(queue.posted() == queue.slots());
    // It is attached to no group any more, but has its number.
    roce_socket sender("10.99.0.1");
    for (std::uint32_t pair = 16; pair < 2048; ++pair)
        sender.send(roce_packet{.queue_pair = pair, .payload = heap_packet(1)});
    REQUIRE(poll_until(queue, [&] { return queue.posted() < queue.slots(); }));
    CHECK(queue.done()[0].status == verbs::slot_status::received);
    CHECK(queue.done()[0].has_grh);
}
