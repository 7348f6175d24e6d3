// SPDX-License-Identifier: BSD-3-Clause
/// What a run must not lose when it cannot be ended in order. Failed assertions and std::terminate become failures of
/// the run; a signal prints the schedule and kills the process as it would have.
#pragma once

#include <array>
#include <csignal>
#include <exception>
#include <string>

#include "tests/explorer/scheduler.hpp"

namespace verbcast::explorer {

/// While it lives, crashes end as said above; it takes the place of what Catch2 does about them.
class crash_handlers {
public:
    crash_handlers();
    ~crash_handlers();
    crash_handlers(const crash_handlers&) = delete;
    crash_handlers& operator=(const crash_handlers&) = delete;

private:
    static constexpr std::array signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

    std::array<struct sigaction, signals.size()> signals_before_{};
    std::terminate_handler terminate_before_;
};

/// While it lives, crashes are about this run.
class crash_report {
public:
    crash_report(const std::string& name, const scheduler& run);
    ~crash_report();
    crash_report(const crash_report&) = delete;
    crash_report& operator=(const crash_report&) = delete;
};

}  // namespace verbcast::explorer
