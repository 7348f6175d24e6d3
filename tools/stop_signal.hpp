// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <csignal>

namespace verbcast::tools {

/// While it lives, the first SIGINT or SIGTERM sets a flag and interrupts system calls. One that comes at once after it
/// is taken for the same: whoever signals a group of processes reaches some of them twice. Half a second later one ends
/// the process as usual. One at a time.
class stop_signal {
public:
    /// With `first_has_come`: it came by another way just now. System calls are not interrupted any more.
    explicit stop_signal(bool first_has_come = false);
    ~stop_signal();
    stop_signal(const stop_signal&) = delete;
    stop_signal& operator=(const stop_signal&) = delete;

    bool received() const noexcept;

private:
    struct sigaction before_int_;
    struct sigaction before_term_;
};

}  // namespace verbcast::tools
