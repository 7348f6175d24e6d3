// SPDX-License-Identifier: BSD-3-Clause
// The reader of a NIC's queue under random scripts of faults: each seed is a script, a traffic and an end, run in two
// processes of its own, and what the stream says is held against the software NIC's truth.
//
//   test_nic_faults [--seeds N] [--first SEED] [--jobs N] [--every-kind]
//   test_nic_faults --each-call      every verb in turn fails once, at its first call, its second, and so on
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nic_faults/trial.hpp"

namespace fs = std::filesystem;
using namespace verbcast::nic_faults;

namespace {

struct options {
    std::uint64_t seeds = 100;
    std::uint64_t first = 1;
    unsigned jobs = 2;
    bool every_kind = false;  ///< a kind of fault that never occurs is a failure
    bool each_call = false;
};

options parse(std::vector<std::string> words) {
    options result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--every-kind" || words[i] == "--each-call") {
            (words[i] == "--each-call" ? result.each_call : result.every_kind) = true;
            continue;
        }
        if (i + 1 == words.size()) throw std::invalid_argument(words[i] + " is unknown, or wants a number");
        const std::string& name = words[i++];
        const std::uint64_t value = std::stoull(words[i]);
        if (name == "--seeds")
            result.seeds = value;
        else if (name == "--first")
            result.first = value;
        else if (name == "--jobs" && value > 0)
            result.jobs = static_cast<unsigned>(value);
        else
            throw std::invalid_argument("unknown: " + name);
    }
    return result;
}

/// Ends in a process of its own: what leaks or hangs there is seen, and the next seed has a NIC that nobody used.
[[noreturn]] void run_receiver(const scenario& what, const fs::path& folder, int go, int done, int report) {
    {
        std::ofstream faults(folder / "faults");
        faults << "seed " << what.seed << '\n';
        for (const std::string& each : what.faults) faults << each << '\n';
    }
    ::setenv("VERBCAST_SOFTNIC_FAULTS", (folder / "faults").c_str(), 1);
    ::setenv("VERBCAST_SOFTNIC_TRUTH", folder.c_str(), 1);
    verdict result = receive(what, go, done, folder);
    std::string text;
    for (const auto& [kind, times] : result.occurred) text += fmt::format("{} {}\n", kind, times);
    for (const std::string& each : result.complaints) text += "! " + each + '\n';
    text += ".\n";  // it came to its end
    static_cast<void>(!::write(report, text.data(), text.size()));
    std::exit(result.complaints.empty() ? 0 : 1);
}

std::string describe(const scenario& what) {
    constexpr std::array ends{"a stop item", "stop()", "its destruction"};
    return fmt::format("  script: {}\n  {} heaps in packets of {}, {}, {} slots, {} rounds{}, into a {}, until {}\n",
                       fmt::join(what.faults, "; "), what.heaps, what.payload_bytes,
                       what.out_of_order ? "out of order" : "in order", what.reader.buffer_bytes / 1152,
                       what.reader.poll_rounds_max, what.reader.polling ? ", polling" : "", what.ring ? "ring" : "sink",
                       ends.at(static_cast<std::size_t>(what.end)));
}

struct running {
    std::uint64_t seed;
    scenario what;
    pid_t sender;
    pid_t receiver;
    int report;
    fs::path folder;
};

running start(const scenario& what) {
    const std::uint64_t seed = what.seed;
    const fs::path folder = fs::temp_directory_path() / fmt::format("verbcast-faults-{}-{}", ::getpid(), seed);
    fs::create_directories(folder);
    int go[2];
    int done[2];
    int report[2];
    if (::pipe(go) != 0 || ::pipe(done) != 0 || ::pipe(report) != 0) throw std::runtime_error("pipe");
    const std::string wire = fmt::format("softnic0=wire:faults-{}-{}", ::getpid(), seed);
    ::setenv("VERBCAST_SOFTNIC_DEVICES", wire.c_str(), 1);
    ::setenv("VERBCAST_SOFTNIC_RUNTIME", (folder / "runtime").c_str(), 1);
    const pid_t sender = ::fork();
    if (sender == 0) {
        for (const int each : {go[1], done[0], report[0], report[1]}) ::close(each);
        send(what, go[0], done[1]);
        std::exit(0);
    }
    const pid_t receiver = ::fork();
    if (receiver == 0) {
        for (const int each : {go[0], done[1], report[0]}) ::close(each);
        run_receiver(what, folder, go[1], done[0], report[1]);
    }
    for (const int each : {go[0], go[1], done[0], done[1], report[1]}) ::close(each);
    return {seed, what, sender, receiver, report[0], folder};
}

/// Everything that could go wrong with a seed, in lines; empty when nothing did.
std::string finish(const running& trial, std::map<std::string, std::uint64_t>& occurred) {
    std::string text;
    char bytes[4096];
    for (ssize_t got = 0; (got = ::read(trial.report, bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<std::size_t>(got));
    ::close(trial.report);
    std::string wrong;
    bool ended = false;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line == ".")
            ended = true;
        else if (line.front() == '!')
            wrong += "  " + line.substr(2) + '\n';
        else
            occurred[line.substr(0, line.find(' '))] += std::stoull(line.substr(line.find(' ')));
    }
    int status = 0;
    ::waitpid(trial.receiver, &status, 0);
    if (!ended) wrong += "  the receiver did not come to its end\n";
    if (WIFSIGNALED(status)) wrong += fmt::format("  the receiver was ended by signal {}\n", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && wrong.empty())
        wrong += fmt::format("  the receiver ended with code {}\n", WEXITSTATUS(status));
    ::waitpid(trial.sender, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) wrong += "  the sender failed\n";
    fs::remove_all(trial.folder);
    return wrong;
}

int run(const options& wanted) {
    std::map<std::string, std::uint64_t> occurred;
    std::uint64_t failed = 0;
    std::vector<running> trials;
    std::uint64_t next = wanted.first;
    const std::uint64_t end = wanted.first + wanted.seeds;
    while (next < end || !trials.empty()) {
        while (next < end && trials.size() < wanted.jobs) trials.push_back(start(make_scenario(next++)));
        const running trial = trials.front();
        trials.erase(trials.begin());
        const std::string wrong = finish(trial, occurred);
        if (wrong.empty()) continue;
        ++failed;
        std::cout << fmt::format("seed {} failed (--first {} --seeds 1):\n{}{}", trial.seed, trial.seed, wrong,
                                 describe(trial.what))
                  << std::flush;
    }
    std::uint64_t never = 0;
    for (const std::string& kind : all_kinds()) {
        std::cout << fmt::format("{:32} occurred {} times\n", kind, occurred[kind]);
        never += occurred[kind] == 0;
    }
    if (never != 0) std::cout << fmt::format("{} kinds of faults never occurred\n", never);
    if (!wanted.every_kind) never = 0;
    std::cout << fmt::format("{} passed, {} failed, 0 skipped\n", wanted.seeds - failed, failed + never);
    return failed + never == 0 ? 0 : 1;
}

int run_each_call() {
    constexpr unsigned calls_max = 16;  // those behind it are of a loop that has come round
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    for (const std::string& verb : all_verbs()) {
        unsigned call = 1;
        for (; call <= calls_max; ++call) {
            const scenario what = scenario_with_failure(verb, call);
            std::map<std::string, std::uint64_t> occurred;
            const std::string wrong = finish(start(what), occurred);
            if (wrong.empty() && occurred[verb] == 0) break;  // it is not called so often
            ++(wrong.empty() ? passed : failed);
            if (!wrong.empty()) std::cout << fmt::format("failed:\n{}{}", wrong, describe(what)) << std::flush;
        }
        std::cout << fmt::format("{:32} failed at each of {} calls\n", verb, call - 1) << std::flush;
        failed += call == 1;  // a verb that is never called
    }
    std::cout << fmt::format("{} passed, {} failed, 0 skipped\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    ::signal(SIGPIPE, SIG_IGN);  // a receiver may be gone before all is sent
    try {
        const options wanted = parse({words + 1, words + count});
        return wanted.each_call ? run_each_call() : run(wanted);
    } catch (const std::exception& error) {
        std::cerr << "test_nic_faults: " << error.what() << '\n';
        return 2;
    }
}
