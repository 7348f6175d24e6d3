// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/version.hpp>

#include <catch2/catch.hpp>

#include <string>

TEST_CASE("the library has the version of the headers it was built with", "[version]") {
    const std::string headers = std::to_string(VERBCAST_VERSION_MAJOR) + "." + std::to_string(VERBCAST_VERSION_MINOR) +
                                "." + std::to_string(VERBCAST_VERSION_PATCH);
    CHECK(verbcast::version() == headers);
}
