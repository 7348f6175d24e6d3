// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/group.hpp>

#include <verbcast/error.hpp>

#include <catch2/catch.hpp>

using verbcast::config_error;
using verbcast::group;

namespace {

std::string refusal(const group& of) {
    try {
        of.validate("groups[3]");
    } catch (const config_error& error) {
        CHECK(error.field() == "groups[3]");
        return error.what();
    }
    return "taken";
}

}  // namespace

TEST_CASE("a group is read from ADDRESS:PORT", "[group]") {
    CHECK(group::parse("239.2.1.150:7148") == group{"239.2.1.150", 7148, {}});
    CHECK(group::parse("127.0.0.1:1") == group{"127.0.0.1", 1, {}});
    CHECK(group::parse("[ff05::150]:65535") == group{"ff05::150", 65535, {}});
}

TEST_CASE("a source stands before an @, an IPv6 one in brackets or without", "[group]") {
    CHECK(group::parse("10.0.0.1@232.2.1.150:7148") == group{"232.2.1.150", 7148, "10.0.0.1"});
    CHECK(group::parse("[fe80::1]@[ff35::1]:7148") == group{"ff35::1", 7148, "fe80::1"});
    CHECK(group::parse("fe80::1@[ff35::1]:7148") == group{"ff35::1", 7148, "fe80::1"});
}

TEST_CASE("text that is not a group is refused with the field, the text and the shape", "[group]") {
    const auto* const text =
        GENERATE("", ":", "@", "239.2.1.150", "239.2.1.150:", ":7148", "239.2.1:7148", "example.org:7148",
                 "239.2.1.150:71x8", "239.2.1.150:-1", "239.2.1.150: 7148", "ff05::150:7148", "[239.2.1.150]:7148",
                 "[ff05::150]", "[]:7148", "[ff05::150:7148", "@239.2.1.150:7148", "[10.0.0.1]@239.2.1.150:7148",
                 "10.0.0.1@10.0.0.2@239.2.1.150:7148", "fe80::1%eth0@[ff35::1]:7148");
    CAPTURE(text);
    try {
        group::parse(text, "to");
        FAIL("taken");
    } catch (const config_error& error) {
        CHECK(error.field() == "to");
        CHECK(std::string(error.what()).find("[SOURCE@]ADDRESS:PORT") != std::string::npos);
        CHECK(std::string(error.what()).find("to = " + std::string(text) + ":") == 0);
    }
}

TEST_CASE("a port is from 1 to 65535", "[group]") {
    for (const auto* const text : {"239.2.1.150:0", "239.2.1.150:65536", "239.2.1.150:99999999999999999999"}) {
        CHECK_THROWS_WITH(group::parse(text), "group = " + std::string(text) + ": the port must be 1 to 65535");
    }
    CHECK(refusal({"239.2.1.150", 0, {}}) == "groups[3] = 239.2.1.150:0: the port must be 1 to 65535");
}

TEST_CASE("the name of a group is ADDRESS:PORT in one way, without its source", "[group]") {
    CHECK(group{"232.2.1.150", 7148, "10.0.0.1"}.name() == "232.2.1.150:7148");
    CHECK(group{"FF05:0::0150", 7148, {}}.name() == "[ff05::150]:7148");
    CHECK(group{"nowhere", 7148, {}}.name() == "nowhere:7148");
}

TEST_CASE("a group that cannot be received is refused with what is allowed", "[group]") {
    CHECK(refusal({"239.2.1", 7148, {}}) ==
          "groups[3] = 239.2.1:7148: the address must be a numeric IPv4 or IPv6 address");
    CHECK(refusal({"", 7148, {}}) == "groups[3] = :7148: the address must be a numeric IPv4 or IPv6 address");
    CHECK(refusal({"::ffff:1.2.3.4", 7148, {}}) ==
          "groups[3] = [::ffff:1.2.3.4]:7148: an IPv4 address must be written as one, not mapped into IPv6");
    CHECK(refusal({"232.1.1.1", 7148, "host"}) ==
          "groups[3] = host@232.1.1.1:7148: the source must be a numeric IPv4 or IPv6 address");
    CHECK(refusal({"232.1.1.1", 7148, "fe80::1"}) ==
          "groups[3] = fe80::1@232.1.1.1:7148: the source must be of the same IP version as the group");
    CHECK(refusal({"10.0.0.2", 7148, "10.0.0.1"}) ==
          "groups[3] = 10.0.0.1@10.0.0.2:7148: only a multicast group can have a source");
    CHECK(refusal({"232.1.1.1", 7148, "232.1.1.2"}) ==
          "groups[3] = 232.1.1.2@232.1.1.1:7148: the source must be the address of one sender");
    CHECK(refusal({"232.1.1.1", 7148, "0.0.0.0"}) ==
          "groups[3] = 0.0.0.0@232.1.1.1:7148: the source must be the address of one sender");
    CHECK(refusal({"232.1.1.1", 7148, "10.0.0.1"}) == "taken");
    CHECK(refusal({"0.0.0.0", 7148, {}}) == "taken");
}
