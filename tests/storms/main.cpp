// SPDX-License-Identifier: BSD-3-Clause
// Storms: streams under full load that are stopped or destroyed at random moments, over every reader, outlet, ring
// policy and way to end. See tests/storm, which builds and runs this.
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "storms/storm.hpp"
#include "storms/traffic.hpp"
#include "support/resources.hpp"

using namespace verbcast::test;

namespace {

constexpr unsigned cycle_seconds_max = 60;
/// Fewer than this may well miss a phase.
constexpr std::uint64_t cycles_for_all_phases = 500;
/// Until then caches grow.
constexpr std::uint64_t warm_up_cycles = 100;

struct options {
    std::uint64_t cycles = 1000;
    std::uint64_t seed = 1;
    std::uint64_t first = 1;
    std::string reader = {};
};

std::uint64_t number(std::string_view word, std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        throw std::invalid_argument(fmt::format("{} takes a whole number, not '{}'", word, text));
    return value;
}

options parse(const std::vector<std::string>& words) {
    options chosen;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
        if (words[i] == "--cycles")
            chosen.cycles = number(words[i], words[i + 1]);
        else if (words[i] == "--seed")
            chosen.seed = number(words[i], words[i + 1]);
        else if (words[i] == "--first")
            chosen.first = number(words[i], words[i + 1]);
        else if (words[i] == "--reader")
            chosen.reader = words[i + 1];
        else
            throw std::invalid_argument("no option " + words[i]);
    }
    if (words.size() % 2 != 0) throw std::invalid_argument("no value for " + words.back());
    return chosen;
}

/// What a cycle that hangs is known by.
std::array<char, 512> present{};

void hangs(int) {
    constexpr std::string_view what = "\nhangs: ";
    static_cast<void>(::write(STDOUT_FILENO, what.data(), what.size()));
    static_cast<void>(::write(STDOUT_FILENO, present.data(), std::strlen(present.data())));
    static_cast<void>(::write(STDOUT_FILENO, "\n", 1));
    std::abort();  // with a core, or under a debugger, all threads are there to be looked at
}

struct tally {
    std::map<phase, std::uint64_t> hits;
    std::map<std::string, std::uint64_t> readers;
    std::uint64_t counted = 0;
    std::uint64_t without_packets = 0;
    std::uint64_t failed = 0;
    std::optional<resources> before;
};

void run_cycle(traffic& feeds, const options& chosen, std::uint64_t cycle, tally& sum) {
    std::mt19937_64 random(chosen.seed * 1'000'003 + cycle);
    const storm_plan plan = storm_plan::draw(random);
    const std::string name =
        fmt::format("--seed {} --first {} --cycles 1{}: {}, {}", chosen.seed, cycle,
                    chosen.reader.empty() ? "" : " --reader " + chosen.reader, feeds.name(), plan.text());
    std::snprintf(present.data(), present.size(), "%s", name.c_str());
    ::alarm(cycle_seconds_max);
    const storm_result result = run_storm(feeds, plan);
    ::alarm(0);
    if (!result.wrong.empty()) {
        ++sum.failed;
        fmt::print("failed: {}\n{}", name, result.wrong);
    }
    if (!result.counts) {
        ++sum.without_packets;
        return;
    }
    ++sum.counted;
    ++sum.hits[result.hit];
    ++sum.readers[feeds.name()];
}

void report(const options& chosen, tally& sum) {
    fmt::print("{} cycles, and {} more that were stopped before a packet came\n", sum.counted, sum.without_packets);
    for (const auto& [name, count] : sum.readers) fmt::print("  {:6} reader {}\n", count, name);
    for (std::size_t i = 0; i < phase_names.size(); ++i) {
        const std::uint64_t count = sum.hits[static_cast<phase>(i)];
        fmt::print("  {:6} stopped {}\n", count, phase_names[i]);
        // A reader alone may have phases that it never is in: some have no end of their own.
        if (count != 0 || chosen.cycles < cycles_for_all_phases || !chosen.reader.empty()) continue;
        ++sum.failed;
        fmt::print("failed: no stop hit this phase\n");
    }
    if (!sum.before) return;
    const resources after = resources::now();
    fmt::print("before: {}\nafter:  {}\n", sum.before->text(), after.text());
    if (const std::string grown = after.grown_since(*sum.before); !grown.empty()) {
        ++sum.failed;
        fmt::print("failed: something is left behind\n{}", grown);
    }
}

int run(const options& chosen) {
    std::signal(SIGALRM, hangs);
    ::mallopt(M_ARENA_MAX, 2);  // or each thread may come to map 64 MiB of its own
    auto kinds = all_traffic();
    if (!chosen.reader.empty()) std::erase_if(kinds, [&](const auto& each) { return each->name() != chosen.reader; });
    if (kinds.empty()) throw std::invalid_argument("no reader " + chosen.reader);
    tally sum;
    std::uint64_t cycle = chosen.first;
    const std::uint64_t last = chosen.first + 2 * chosen.cycles;
    for (; sum.counted < chosen.cycles && cycle < last && sum.failed < 10; ++cycle) {
        run_cycle(*kinds[cycle % kinds.size()], chosen, cycle, sum);
        if (sum.counted == warm_up_cycles && !sum.before && chosen.cycles > 2 * warm_up_cycles)
            sum.before = resources::now();
    }
    if (sum.counted < chosen.cycles && sum.failed == 0) {
        ++sum.failed;
        fmt::print("failed: too few cycles met packets\n");
    }
    report(chosen, sum);
    fmt::print("{} passed, {} failed, 0 skipped\n", sum.counted, sum.failed);
    return sum.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    try {
        return run(parse(std::vector<std::string>(words + 1, words + count)));
    } catch (const std::invalid_argument& wrong) {
        fmt::print(stderr, "storm: {}\n", wrong.what());
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "storm: {}\n", error.what());
        return 1;
    }
}
