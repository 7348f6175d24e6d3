// SPDX-License-Identifier: BSD-3-Clause
// docs/account.md says what the code says.
#include <catch2/catch.hpp>

#include <fstream>
#include <string>
#include <vector>

#include <verbcast/account.hpp>

using namespace verbcast;

namespace {

/// The first cells of the tables under a heading of the document, without their backquotes.
std::vector<std::string> listed_under(const std::string& heading) {
    std::ifstream file(VERBCAST_ACCOUNT_DOCUMENT);
    REQUIRE(file);
    std::vector<std::string> names;
    bool here = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("## ")) here = line == "## " + heading;
        if (!here || !line.starts_with("| `")) continue;
        const std::size_t end = line.find('`', 3);
        REQUIRE(end != std::string::npos);
        names.push_back(line.substr(3, end - 3));
        // Three cells, none of them empty.
        CHECK(std::count(line.begin(), line.end(), '|') == 4);
        CHECK(line.find("|  |") == std::string::npos);
    }
    return names;
}

template <class Reason>
std::vector<std::string> names_of(std::size_t count) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) names.emplace_back(name(static_cast<Reason>(i)));
    return names;
}

}  // namespace

TEST_CASE("docs/account.md lists the reasons for rejecting, all and in order") {
    CHECK(listed_under("Reasons for which packets are rejected") == names_of<reject_reason>(reject_reason_count));
}

TEST_CASE("docs/account.md lists the reasons for ignoring, all and in order") {
    CHECK(listed_under("Reasons for which packets are ignored") == names_of<ignore_reason>(ignore_reason_count));
}
