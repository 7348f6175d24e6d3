// SPDX-License-Identifier: BSD-3-Clause
#include <catch2/catch.hpp>

#include "verbs/privilege.hpp"

using namespace verbcast::verbs;

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

}  // namespace

TEST_CASE("locked memory that is within its limit is no shortage", "[privilege]") {
    CHECK_FALSE(locked_memory_shortage({.in_use_bytes = 0, .limit_bytes = {}}, 1ULL << 40));
    CHECK_FALSE(locked_memory_shortage({.in_use_bytes = mebibyte, .limit_bytes = 8 * mebibyte}, 7 * mebibyte));
}

TEST_CASE("a shortage says what is needed with what is in use, what is allowed, and how to raise it", "[privilege]") {
    const auto said = locked_memory_shortage({.in_use_bytes = mebibyte, .limit_bytes = 8 * mebibyte}, 7 * mebibyte + 1);
    REQUIRE(said);
    CHECK(said->find("needs 8193 KiB of locked memory and may lock 8192 KiB") == 0);
    CHECK(said->find("ulimit -l 8193") != std::string::npos);
    CHECK(said->find("LimitMEMLOCK=8193K") != std::string::npos);
}
