// SPDX-License-Identifier: BSD-3-Clause
/// Runs a scenario under all schedules up to a bound, or under random ones. Both stop at the first that fails.
///
/// Environment, for all explorations of the process:
///     VERBCAST_EXPLORER_REPLAY=NAME=SCHEDULE   run this one schedule of the exploration NAME, and no other of it
///     VERBCAST_EXPLORER_PREEMPTIONS=N          the bound, in the place of the one in the code
///     VERBCAST_EXPLORER_SCHEDULES=N            how many random schedules
///     VERBCAST_EXPLORER_SEED=N                 of the first random schedule
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/explorer/scheduler.hpp"

namespace verbcast::explorer {

using scenario = std::function<void(scheduler&)>;

struct bounds {
    /// Times that a thread loses its turn although it could go on. Most bugs need one or two.
    unsigned preemptions_max = 2;
    /// What the bound must be reached with; more is a failure of the exploration, not of the scenario. Without effect
    /// when the environment asks for more preemptions.
    std::size_t schedules_max = 200'000;
};

struct random_bounds {
    std::size_t schedules = 1000;
    std::uint64_t seed = 1;
};

struct verdict {
    std::string name;
    std::size_t schedules = 0;
    /// All there are within the bound were run, or all the random ones asked for.
    bool exhausted = false;
    std::optional<failure> found;
    /// The schedules are at least those that the code asks for: the environment asks for no fewer.
    bool as_written = true;

    bool passed() const noexcept { return exhausted && !found; }
    /// What was run; the failure, its trace, and how to run it again.
    std::string report() const;
};

/// Depth first, with 0, 1, ... preemptions: so the first failure has as few as there can be. `name` is a word.
verdict explore(std::string name, const bounds& within, const scenario& explored);
verdict explore_randomly(std::string name, const random_bounds& within, const scenario& explored);
/// Runs one schedule; what it does not say is the first option.
verdict replay(std::string name, std::string_view schedule, const scenario& explored);

}  // namespace verbcast::explorer
