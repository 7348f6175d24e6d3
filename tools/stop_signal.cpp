// SPDX-License-Identifier: BSD-3-Clause
#include "stop_signal.hpp"

#include <cassert>

namespace verbcast::tools {
namespace {

volatile std::sig_atomic_t flag = 0;

void raise_flag(int) { flag = 1; }

}  // namespace

stop_signal::stop_signal() {
    flag = 0;
    struct sigaction action {};
    action.sa_handler = raise_flag;
    // Not SA_RESTART: a sleep or a send must end. Default again after the first: a second Ctrl-C always works.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    [[maybe_unused]] const int first = ::sigaction(SIGINT, &action, &before_int_);
    [[maybe_unused]] const int second = ::sigaction(SIGTERM, &action, &before_term_);
    assert(first == 0 && second == 0);
}

stop_signal::~stop_signal() {
    ::sigaction(SIGINT, &before_int_, nullptr);
    ::sigaction(SIGTERM, &before_term_, nullptr);
}

bool stop_signal::received() const noexcept { return flag != 0; }

}  // namespace verbcast::tools
