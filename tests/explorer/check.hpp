// SPDX-License-Identifier: BSD-3-Clause
/// What explorations assert, on the main thread.
#pragma once

#include <catch2/catch.hpp>

#include "tests/explorer/explore.hpp"

namespace verbcast::explorer {

inline void check_passed(const verdict& verdict) {
    INFO(verdict.report());
    CHECK(verdict.passed());
}

}  // namespace verbcast::explorer
