// SPDX-License-Identifier: BSD-3-Clause
#include "tools/verify_pattern.hpp"

#include <catch2/catch.hpp>

using namespace verbcast::tools;

namespace {

std::vector<std::byte> filled(std::uint64_t cnt, std::size_t size) {
    std::vector<std::byte> data(size);
    fill_pattern(cnt, data);
    return data;
}

}  // namespace

TEST_CASE("data that was filled for a heap is what is expected of it, whatever its length") {
    for (const std::size_t size : {0, 1, 7, 8, 4095, 4096, 4097, 100'000}) {
        CAPTURE(size);
        CHECK(pattern_mismatch(17, filled(17, size)) == std::nullopt);
    }
}

TEST_CASE("a single changed bit is found where it is") {
    for (const std::size_t at : {0, 1, 4095, 4096, 9999}) {
        std::vector<std::byte> data = filled(3, 10'000);
        data[at] ^= std::byte{0x10};
        CHECK(pattern_mismatch(3, data) == at);
    }
}

TEST_CASE("data of another heap is found within its first word") {
    for (std::uint64_t other = 0; other < 1000; ++other) {
        if (other == 7) continue;
        const auto at = pattern_mismatch(7, filled(other, 64));
        REQUIRE(at);
        CHECK(*at < 8);
    }
}

TEST_CASE("data of another place in the same heap is found, also when it is whole packets away") {
    const std::vector<std::byte> data = filled(1, 1 << 20);
    for (const std::size_t away : {1, 8, 1416, 1424, 4096, 8192, 65536}) {
        CAPTURE(away);
        CHECK(pattern_mismatch(1, std::span(data).subspan(away, 64)).value_or(64) < 8);
    }
}
