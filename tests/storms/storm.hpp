// SPDX-License-Identifier: BSD-3-Clause
/// A stream under full load that is stopped or destroyed at a random moment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "storms/traffic.hpp"

namespace verbcast::test {

/// Where the stream was when it was stopped.
enum class phase : std::uint8_t {
    between_packets,
    in_a_packet,
    in_a_callback,
    ring_full,
    from_own_callback,
    from_other_callback,
    callback_throws,
    ended_already,
};
inline constexpr std::array<std::string_view, 8> phase_names = {
    "between packets",     "while a packet was placed",  "while a sink had a heap",
    "at a full ring",      "from a callback of its own", "from another stream's callback",
    "as a callback threw", "after its input had ended"};

enum class outlet : std::uint8_t { function, sink, ring_wait, ring_drop_newest, ring_drop_oldest };
inline constexpr std::array<std::string_view, 5> outlet_names = {"function", "sink", "ring, wait", "ring, drop_newest",
                                                                 "ring, drop_oldest"};

enum class consumer : std::uint8_t { blocks, waits_asynchronously, never_reads };
enum class ending : std::uint8_t {
    stop,
    stop_by_three,
    destroy,
    destroy_on_io_thread,
    own_callback,
    other_callback,
    throws
};

struct storm_plan {
    outlet into = outlet::function;
    consumer reads = consumer::blocks;
    ending ends = ending::stop;
    std::size_t threads = 1;
    phase aim = phase::between_packets;  ///< for stops from outside
    std::uint64_t packets_before = 1;    ///< the stop comes after at least so many

    static storm_plan draw(std::mt19937_64& random);
    std::string text() const;
};

struct storm_result {
    bool counts = false;  ///< packets had arrived before the stop
    phase hit = phase::between_packets;
    std::string wrong;  ///< what must not be, or ""
};

storm_result run_storm(traffic& feeds, const storm_plan& plan);

}  // namespace verbcast::test
