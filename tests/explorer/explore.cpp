// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/explore.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <sched.h>

#include <fmt/format.h>

#include "tests/explorer/chooser.hpp"
#include "tests/explorer/crash.hpp"
#include "tests/explorer/quarantine.hpp"
#include "tests/explorer/schedule.hpp"

namespace verbcast::explorer {

namespace {

// Turns go from thread to thread, so a second core only costs the way to it. Threads that are started inherit it.
class on_one_core {
public:
    on_one_core() {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
        pinned_ = sched_getaffinity(0, sizeof before_, &before_) == 0 && sched_setaffinity(0, sizeof one, &one) == 0;
    }
    ~on_one_core() {
        if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
    }
    on_one_core(const on_one_core&) = delete;
    on_one_core& operator=(const on_one_core&) = delete;

private:
    cpu_set_t before_{};
    bool pinned_ = false;
};

std::uint64_t from_environment(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return otherwise;
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(text, &end, 10);
    if (end == text || *end != '\0') throw std::invalid_argument(fmt::format("{}={} is not a number", variable, text));
    return value;
}

std::optional<std::string_view> schedule_from_environment(std::string_view name) {
    const char* const text = std::getenv("VERBCAST_EXPLORER_REPLAY");
    if (text == nullptr) return std::nullopt;
    const std::string_view wanted(text);
    const std::size_t end = wanted.find('=');
    if (end == std::string_view::npos || wanted.substr(0, end) != name) return std::nullopt;
    return wanted.substr(end + 1);
}

class exploration {
public:
    exploration(std::string name, const scenario& explored, bool as_written) : scenario_(explored) {
        verdict_.name = std::move(name);
        verdict_.as_written = as_written;
    }

    /// False when it failed.
    bool run_once(chooser& chooser) {
        auto run = std::make_unique<scheduler>(chooser, *workers_);
        ++verdict_.schedules;
        {
            const crash_report report(verdict_.name, *run);
            verdict_.found = run->run(scenario_);
        }
        if (verdict_.found) {
            // Its threads are in it for ever, and wait for turns that the workers would give.
            static_cast<void>(run.release());
            static_cast<void>(workers_.release());
            return false;
        }
        if (!quarantine::release()) {
            verdict_.found = failure{"memory was written to after it was freed", run->schedule(), {}};
            return false;
        }
        return true;
    }

    verdict finish(bool exhausted, std::string_view how) {
        verdict_.exhausted = exhausted;
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        fmt::print("{}: {} schedules{} in {:.2f} s{}\n", verdict_.name, verdict_.schedules, how, took.count(),
                   verdict_.found ? ", the last one failed"
                   : exhausted    ? ""
                                  : ", NOT ALL THERE ARE");
        std::fflush(stdout);  // a later exploration may crash
        return std::move(verdict_);
    }

    void restart_count() { verdict_.schedules = 0; }
    std::size_t schedules() const noexcept { return verdict_.schedules; }

private:
    const scenario& scenario_;
    verdict verdict_;
    on_one_core one_core_;
    crash_handlers crash_handlers_;
    std::unique_ptr<worker_pool> workers_ = std::make_unique<worker_pool>();
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

verdict replay_aloud(std::string name, std::string_view schedule, const scenario& explored) {
    verdict replayed = replay(std::move(name), schedule, explored);
    fmt::print("{}\n", replayed.report());
    replayed.as_written = false;
    return replayed;
}

}  // namespace

verdict explore(std::string name, const bounds& within, const scenario& explored) {
    if (const auto schedule = schedule_from_environment(name))
        return replay_aloud(std::move(name), *schedule, explored);
    const auto preemptions_max =
        static_cast<unsigned>(from_environment("VERBCAST_EXPLORER_PREEMPTIONS", within.preemptions_max));
    const std::size_t schedules_max =
        preemptions_max > within.preemptions_max ? std::numeric_limits<std::size_t>::max() : within.schedules_max;
    exploration exploration(std::move(name), explored, preemptions_max >= within.preemptions_max);
    for (unsigned preemptions = 0; preemptions <= preemptions_max; ++preemptions) {
        const std::string how = fmt::format(", all with at most {} preemptions,", preemptions);
        exploration.restart_count();
        exhaustive_chooser chooser(preemptions);
        do {
            if (!exploration.run_once(chooser)) return exploration.finish(false, "");
            if (exploration.schedules() > schedules_max) return exploration.finish(false, "");
        } while (chooser.next());
        if (preemptions == preemptions_max) return exploration.finish(true, how);
    }
    throw std::logic_error("unreachable");
}

verdict explore_randomly(std::string name, const random_bounds& within, const scenario& explored) {
    if (const auto schedule = schedule_from_environment(name))
        return replay_aloud(std::move(name), *schedule, explored);
    const std::uint64_t seed = from_environment("VERBCAST_EXPLORER_SEED", within.seed);
    const std::uint64_t schedules = from_environment("VERBCAST_EXPLORER_SCHEDULES", within.schedules);
    exploration exploration(std::move(name), explored, schedules >= within.schedules);
    for (std::uint64_t i = 0; i < schedules; ++i) {
        random_chooser chooser(seed + i);
        if (!exploration.run_once(chooser)) return exploration.finish(false, "");
    }
    return exploration.finish(true, fmt::format(" from random seed {} on", seed));
}

verdict replay(std::string name, std::string_view schedule, const scenario& explored) {
    exploration exploration(std::move(name), explored, true);
    replay_chooser chooser(read_schedule(schedule));
    const bool passed = exploration.run_once(chooser);
    return exploration.finish(passed, " replayed");
}

std::string verdict::report() const {
    if (!found) return fmt::format("{}: {} schedules, {}", name, schedules, exhausted ? "all passed" : "too many");
    return fmt::format("{}: {}\n{}to run it again: VERBCAST_EXPLORER_REPLAY='{}={}'", name, found->what, found->trace,
                       name, found->schedule);
}

}  // namespace verbcast::explorer
