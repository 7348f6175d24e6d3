// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <csignal>

namespace verbcast::tools {

/// While it lives, the first SIGINT or SIGTERM sets a flag and interrupts system calls; a second one ends the process
/// as usual. One at a time.
class stop_signal {
public:
    stop_signal();
    ~stop_signal();
    stop_signal(const stop_signal&) = delete;
    stop_signal& operator=(const stop_signal&) = delete;

    bool received() const noexcept;

private:
    struct sigaction before_int_;
    struct sigaction before_term_;
};

}  // namespace verbcast::tools
