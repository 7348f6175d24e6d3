// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

/// Ends the test, and with it the process, as skipped: `skip("a real NIC")`. With CI=true a need that is not in
/// tests/skips-allowed fails the run. CTest runs each test case in a process of its own.
[[noreturn]] inline void skip(const std::string& need) {
    std::printf("skipped: needs %s\n", need.c_str());
    std::fflush(nullptr);
    std::_Exit(77);
}
