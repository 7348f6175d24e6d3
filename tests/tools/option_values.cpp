// SPDX-License-Identifier: BSD-3-Clause
#include "tools/option_values.hpp"

#include <catch2/catch.hpp>

#include "tools/flavour.hpp"

using namespace verbcast::tools;
using namespace std::chrono_literals;

TEST_CASE("whole numbers are decimal or hexadecimal, and nothing else") {
    CHECK(parse_count("0", 0, 10) == 0);
    CHECK(parse_count("0x1F", 0, 100) == 31);
    CHECK(parse_count("18446744073709551615", 0, ~0ULL) == ~0ULL);
    for (const char* const bad :
         {"", " 1", "1 ", "-1", "+1", "1.5", "1e3", "abc", "0x", "18446744073709551616", "1,000"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_count(bad, 0, ~0ULL), usage_error);
    }
}

TEST_CASE("a number out of range is refused in words that say the range") {
    CHECK_THROWS_WITH(parse_count("0", 1, ~0ULL), "\"0\" is not a whole number, 1 or more");
    CHECK_THROWS_WITH(parse_count("9", 0, 7), "\"9\" is not a whole number, 0 to 7");
}

TEST_CASE("bytes have decimal and binary units") {
    CHECK(parse_bytes("1472", 1, 1 << 20) == 1472);
    CHECK(parse_bytes("9kB", 1, 1 << 20) == 9000);
    CHECK(parse_bytes("64KiB", 1, 1 << 20) == 65536);
    CHECK(parse_bytes("2GiB", 1, 1ULL << 40) == 1ULL << 31);
    for (const char* const bad : {"", "64k", "64K", "1.5MiB", "-1", "MiB", "1 MiB", "0", "2MiB", "99999999999TiB"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_bytes(bad, 1, 1 << 20), usage_error);
    }
}

TEST_CASE("numbers are finite and in range") {
    CHECK(parse_number("2.5", 0, 10) == 2.5);
    CHECK(parse_number("0", 0, 10) == 0);
    for (const char* const bad : {"", "nan", "inf", "-1", "10.1", "1e400", "5x", "0x10"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_number(bad, 0, 10), usage_error);
    }
}

TEST_CASE("seconds are above zero and may have decimals") {
    CHECK(parse_seconds("1.5") == 1500ms);
    CHECK(parse_seconds("0.001") == 1ms);
    for (const char* const bad : {"", "0", "-1", "nan", "inf", "1e-12", "1e12", "1s"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_seconds(bad), usage_error);
    }
}

TEST_CASE("cores are numbers and ranges") {
    CHECK(parse_cores("2", 8) == std::vector{2});
    CHECK(parse_cores("0,2-4,7", 8) == std::vector{0, 2, 3, 4, 7});
    for (const char* const bad : {"", ",", "1,", "4-2", "a", "1-", "-1", "1--2", "8", "7-8", "99999999999"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_cores(bad, 8), usage_error);
    }
}

TEST_CASE("a choice that there is not is refused with the ones there are") {
    int chosen = 0;
    const option_setter set = into_choice<int, int>(chosen, {{"one", 1}, {"two", 2}});
    set("two");
    CHECK(chosen == 2);
    CHECK_THROWS_WITH(set("three"), "\"three\" is not one of: one, two");
}

TEST_CASE("flavours are 64-8 to 64-56 in whole bytes") {
    for (const unsigned bits : {8, 16, 24, 32, 40, 48, 56})
        CHECK(flavour::parse("64-" + std::to_string(bits)).address_bits == bits);
    for (const char* const bad : {"", "64", "64-", "64-0", "64-64", "64-44", "32-16", "64-48 ", "64-048x", "48"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(flavour::parse(bad), usage_error);
    }
}
