// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/crash.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "src/sync.hpp"

namespace verbcast::explorer {

namespace {

struct crashing_run {
    const std::string* name = nullptr;
    const scheduler* run = nullptr;
};
crashing_run current;

// Makes strings, which a signal handler must not: but the process is lost, and this is the best that can come of it.
void print_schedule() {
    if (current.run == nullptr) return;
    const crashing_run crashed = std::exchange(current, {});
    std::fprintf(stderr, "%s crashed. To run it again: VERBCAST_EXPLORER_REPLAY='%s=%s'\n", crashed.name->c_str(),
                 crashed.name->c_str(), crashed.run->schedule().c_str());
}

void on_signal(int number) {
    print_schedule();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void on_terminate() {
    const char* what = "std::terminate";
    if (const std::exception_ptr thrown = std::current_exception()) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& caught) {
            static std::string text;
            text = fmt::format("std::terminate, after: {}", caught.what());
            what = text.c_str();
        } catch (...) {
        }
    }
    sync::model::fail(what);
}

}  // namespace

crash_handlers::crash_handlers() : terminate_before_(std::set_terminate(on_terminate)) {
    struct sigaction ours {};
    ours.sa_handler = on_signal;
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &ours, &signals_before_[i]);
}

crash_handlers::~crash_handlers() {
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &signals_before_[i], nullptr);
    std::set_terminate(terminate_before_);
}

crash_report::crash_report(const std::string& name, const scheduler& run) { current = {&name, &run}; }
crash_report::~crash_report() { current = {}; }

}  // namespace verbcast::explorer

// In the place of the C library's __assert_fail(): a failed assertion ends the run, not the process.
extern "C" [[noreturn]] void end_run_on_assertion(const char* condition, const char* file, unsigned line,
                                                  const char* function) noexcept __asm__("__assert_fail");

void end_run_on_assertion(const char* condition, const char* file, unsigned line, const char* function) noexcept {
    static std::string text;
    text = fmt::format("{}:{}: {}: assertion failed: {}", file, line, function, condition);
    verbcast::sync::model::fail(text.c_str());
}

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer calls it before it ends the process.
extern "C" void print_schedule_on_asan_error() __asm__("__asan_on_error");

void print_schedule_on_asan_error() { verbcast::explorer::print_schedule(); }
#endif
