// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_group.hpp>

#include <catch2/catch.hpp>

#include <verbcast/error.hpp>

#include "support/descriptor_builder.hpp"
#include "support/heap_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

wire_descriptor octets_named(const std::string& name, std::uint64_t id) {
    return {.id = id, .name = name, .format = {{'u', 8}}, .shape = {-1}};
}

wire_value describing(const wire_descriptor& what) { return {0x5, what.encode()}; }

/// The numbers of an item that has a value.
std::vector<int> numbers(const item_group& group, std::string_view name) {
    const item_value* const found = group.find(name);
    REQUIRE(found);
    const auto read = found->as<int>();
    REQUIRE(read);
    return *read;
}

}  // namespace

TEST_CASE("a value is found by the name and the id of its descriptor", "[item_group]") {
    item_group group;
    group.update(make_heap({.values = {describing(octets_named("gains", 0x1000)), {0x1000, from_octets({1, 2})}}}));
    CHECK(numbers(group, "gains") == std::vector{1, 2});
    CHECK(group.find(0x1000) == group.find("gains"));
    CHECK(group.find("other") == nullptr);
    CHECK(group.values() == std::vector{group.find("gains")});
}

TEST_CASE("an immediate has a value like any other", "[item_group]") {
    item_group group;
    wire_descriptor time{.id = 0x1001, .name = "time", .format = {{'u', 48}}};
    group.update(make_heap({.values = {describing(time)}, .immediates = {immediate(0x1001, 123456789)}}));
    REQUIRE(group.find("time"));
    CHECK(*group.find("time")->get<std::uint64_t>() == 123456789);
}

TEST_CASE("descriptors may come before, with, or after their values", "[item_group]") {
    const wire_value value{0x1000, from_octets({7})};
    const wire_value described = describing(octets_named("x", 0x1000));
    item_group group;
    SECTION("before") {
        group.update(make_heap({.values = {described}}));
        CHECK(group.find("x") == nullptr);
        CHECK(group.find_type("x") != nullptr);
        group.update(make_heap({.values = {value}}));
    }
    SECTION("with") { group.update(make_heap({.values = {value, described}})); }
    SECTION("after") {
        group.update(make_heap({.values = {value}}));
        CHECK(group.find(0x1000) == nullptr);
        group.update(make_heap({.values = {described}}));
    }
    CHECK(numbers(group, "x") == std::vector{7});
}

TEST_CASE("the latest value counts, and those that are not sent again stay", "[item_group]") {
    item_group group;
    group.update(make_heap({.cnt = 1,
                            .values = {describing(octets_named("a", 0x1000)),
                                       describing(octets_named("b", 0x1001)),
                                       {0x1000, from_octets({1})},
                                       {0x1001, from_octets({2})}}}));
    group.update(make_heap({.cnt = 2, .values = {{0x1000, from_octets({3})}}}));
    CHECK(numbers(group, "a") == std::vector{3});
    CHECK(numbers(group, "b") == std::vector{2});
    CHECK(group.find("a")->heap_cnt() == 2);
    CHECK(group.find("b")->heap_cnt() == 1);
}

TEST_CASE("only the heap of the last update is kept", "[item_group]") {
    item_group group;
    heap_ref first = make_heap({.values = {describing(octets_named("a", 0x1000)), {0x1000, from_octets({1})}}});
    group.update(first);
    CHECK(group.find("a")->owner() == &*first);
    group.update(make_heap({.values = {{0x1002, from_octets({9})}}}));
    CHECK(group.find("a")->owner() == nullptr);
    const heap* const same = &*first;
    const writable_heap writable = make_writable(std::move(first));
    CHECK(&*writable == same);  // no other reference is left
}

TEST_CASE("an identical reissue keeps the item", "[item_group]") {
    item_group group;
    group.update(make_heap({.values = {describing(octets_named("a", 0x1000)), {0x1000, from_octets({1})}}}));
    const item_type* const type = group.find_type("a");
    group.update(make_heap({.values = {describing(octets_named("a", 0x1000))}}));
    CHECK(group.find_type("a") == type);
    CHECK(numbers(group, "a") == std::vector{1});
}

TEST_CASE("a changed name or id replaces the item", "[item_group]") {
    item_group group;
    group.update(make_heap({.values = {describing(octets_named("a", 0x1000)), {0x1000, from_octets({1})}}}));
    SECTION("a changed name") {
        group.update(make_heap({.values = {describing(octets_named("b", 0x1000))}}));
        CHECK(group.find_type("a") == nullptr);
        CHECK(group.find_type("b") != nullptr);
        CHECK(group.find("b") == nullptr);
    }
    SECTION("a changed id") {
        group.update(make_heap({.values = {describing(octets_named("a", 0x1001)), {0x1001, from_octets({2})}}}));
        CHECK(group.find_type(0x1000) == nullptr);
        CHECK(numbers(group, "a") == std::vector{2});
    }
    SECTION("two items that exchange their names") {
        group.update(make_heap({.values = {describing(octets_named("b", 0x1001))}}));
        group.update(make_heap({.values = {describing(octets_named("a", 0x1001)),
                                           describing(octets_named("b", 0x1000)),
                                           {0x1000, from_octets({3})},
                                           {0x1001, from_octets({4})}}}));
        CHECK(numbers(group, "b") == std::vector{3});
        CHECK(numbers(group, "a") == std::vector{4});
    }
    SECTION("another type under the same name and id") {
        wire_descriptor wide = octets_named("a", 0x1000);
        wide.format = {{'u', 16}};
        group.update(make_heap({.values = {describing(wide), {0x1000, from_octets({1, 2})}}}));
        CHECK(numbers(group, "a") == std::vector{0x102});
    }
}

TEST_CASE("items without a name are told apart by their ids", "[item_group]") {
    item_group group;
    group.update(make_heap({.values = {describing(octets_named("", 0x1000)),
                                       describing(octets_named("", 0x1001)),
                                       {0x1000, from_octets({1})},
                                       {0x1001, from_octets({2})}}}));
    CHECK(group.values().size() == 2);
    CHECK(group.find("") == nullptr);
}

TEST_CASE("the values of old senders are read under the compatibility mask of the stream", "[item_group]") {
    const std::string header = "{'descr': '<u2', 'fortran_order': False, 'shape': (1,)}";
    const wire_heap sent{
        .values = {describing({.id = 0x1000, .name = "a", .numpy_header = header}), {0x1000, from_octets({1, 2})}}};
    item_group group;
    group.update(make_heap(sent, compatibility::pyspead));
    CHECK(numbers(group, "a") == std::vector{0x102});
}

TEST_CASE("an incomplete heap updates what it shows", "[item_group]") {
    const wire_heap whole{.values = {{0x1000, pattern(2000)}}, .immediates = {immediate(0x1001, 9)}};
    const wire_descriptor time{.id = 0x1001, .name = "time", .format = {{'u', 48}}};
    item_group group;
    group.update(make_heap({.values = {describing(time), describing(octets_named("data", 0x1000))}}));
    group.update(make_heap(std::vector<bytes>{encode(whole.split({.packet_bytes_max = 256})).front()}));
    CHECK(*group.find("time")->get<std::uint64_t>() == 9);
    CHECK(group.find("data") == nullptr);
}

TEST_CASE("what the network can make a group hold is bounded, and what is dropped is counted", "[item_group]") {
    CHECK_THROWS_AS(item_group({.items_max = 0}), config_error);
    CHECK_THROWS_AS(item_group({.bytes_max = 0}), config_error);

    item_group few({.items_max = 10});
    wire_heap many;
    for (std::uint64_t id = 0x1000; id < 0x1000 + 30; ++id) many.values.push_back({id, from_octets({1})});
    few.update(make_heap(many));
    CHECK(few.dropped() == 20);

    item_group small({.bytes_max = 4096});
    small.update(make_heap({.values = {describing(octets_named("a", 0x1000)), {0x1000, zeros(5000)}}}));
    CHECK(small.find("a") != nullptr);  // the heap holds it
    small.update(make_heap({.values = {{0x1001, from_octets({1})}}}));
    CHECK(small.find("a") == nullptr);
    CHECK(small.dropped() == 1);
    small.update(make_heap({.values = {describing(octets_named(std::string(5000, 'x'), 0x1002))}}));
    CHECK(small.find_type(0x1002) == nullptr);
    CHECK(small.dropped() == 2);
}

TEST_CASE("what was dropped makes room again", "[item_group]") {
    item_group group({.bytes_max = 16 * 1024});
    for (int i = 0; i < 100; ++i) {
        group.update(
            make_heap({.values = {describing(octets_named("a" + std::to_string(i), 0x1000)), {0x1000, zeros(5000)}}}));
        REQUIRE(group.find(0x1000) != nullptr);
        group.update(make_heap({.values = {{0x1001, zeros(5000)}}}));
        REQUIRE(group.find(0x1000) != nullptr);
    }
    CHECK(group.dropped() == 0);
}
