// SPDX-License-Identifier: BSD-3-Clause
/// The three ways to choose a schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "tests/explorer/scheduler.hpp"

namespace verbcast::explorer {

/// All schedules with at most so many preemptions, one a run, depth first.
class exhaustive_chooser final : public chooser {
public:
    explicit exhaustive_chooser(unsigned preemptions_max) : preemptions_max_(preemptions_max) {}

    /// Throws std::logic_error when the scenario does not do the same under the same choices.
    std::size_t choose(std::span<const option> options, bool free) override;
    /// Turns to the next schedule. False: there is none.
    bool next();

private:
    struct choice {
        std::uint64_t options_hash;
        std::size_t options;
        std::size_t chosen;
        unsigned preemptions_before;
        bool free;
    };

    unsigned preemptions_max_;
    unsigned preemptions_ = 0;
    std::size_t depth_ = 0;
    std::vector<choice> path_;
};

/// Preempts now and then, in some runs more often than in others.
class random_chooser final : public chooser {
public:
    explicit random_chooser(std::uint64_t seed);
    std::size_t choose(std::span<const option> options, bool free) override;

private:
    std::mt19937_64 random_;
    unsigned preempt_one_in_;
};

/// What a schedule says; after its end the first option.
class replay_chooser final : public chooser {
public:
    explicit replay_chooser(std::vector<option> schedule) : schedule_(std::move(schedule)) {}
    /// Throws std::invalid_argument when the schedule is not one of this scenario.
    std::size_t choose(std::span<const option> options, bool free) override;

private:
    std::vector<option> schedule_;
    std::size_t depth_ = 0;
};

}  // namespace verbcast::explorer
