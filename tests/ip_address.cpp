// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/ip_address.hpp"

#include <catch2/catch.hpp>

using namespace verbcast::verbs;

TEST_CASE("an address is written in one way, however it was read", "[ip_address]") {
    CHECK(ip_address::from_string("239.2.1.150").value().to_string() == "239.2.1.150");
    CHECK(ip_address::from_string("FF05:0:0:0::0150").value().to_string() == "ff05::150");
    CHECK(to_string(ip_address::from_string("ff05:0::1").value(), 7148) == "[ff05::1]:7148");
    CHECK(to_string(ip_address::from_string("10.0.0.1").value(), 7148) == "10.0.0.1:7148");
}

TEST_CASE("what is not a numeric address is none", "[ip_address]") {
    const auto* const text = GENERATE("", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4 ", "[::1]",
                                      "::1%lo", "ff05:::1", "1111:2222:3333:4444:5555:6666:7777:8888:9999");
    CAPTURE(text);
    CHECK_FALSE(ip_address::from_string(text));
    CHECK_FALSE(ip_address::from_string(std::string_view("::1\0", 4)));
}

TEST_CASE("multicast addresses are 224.0.0.0/4 and ff00::/8", "[ip_address]") {
    for (const auto* const yes : {"224.0.0.0", "239.255.255.255", "ff02::1", "ff3e::8000:1"}) {
        CHECK(ip_address::from_string(yes).value().is_multicast());
    }
    for (const auto* const no : {"223.255.255.255", "240.0.0.0", "fe80::1", "::"}) {
        CHECK_FALSE(ip_address::from_string(no).value().is_multicast());
    }
}

TEST_CASE("link-local and interface-local IPv6 addresses need an interface", "[ip_address]") {
    for (const auto* const yes : {"fe80::1", "febf::1", "ff01::1", "ff02::1", "ff12::1"}) {
        CHECK(ip_address::from_string(yes).value().needs_interface());
    }
    for (const auto* const no : {"fec0::1", "ff05::1", "ff0e::1", "2001:db8::1", "169.254.0.1"}) {
        CHECK_FALSE(ip_address::from_string(no).value().needs_interface());
    }
}
