// SPDX-License-Identifier: BSD-3-Clause
/// What explorations assert, on the main thread.
#pragma once

#include <catch2/catch.hpp>

#include "tests/explorer/explore.hpp"

namespace verbcast::explorer {

/// True when all was run that the code asks for: only then a test can say what must have been seen.
inline bool check_passed(const verdict& verdict) {
    INFO(verdict.report());
    CHECK(verdict.passed());
    return verdict.as_written;
}

}  // namespace verbcast::explorer
