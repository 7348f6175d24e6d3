// SPDX-License-Identifier: BSD-3-Clause
#include "support/packet_builder.hpp"

#include <catch2/catch.hpp>

using namespace verbcast::test;

TEST_CASE("a packet is written with its specials in the usual order, big-endian", "[packet_builder]") {
    const wire_packet packet{.address_bits = 40,
                             .heap_cnt = 0x0102030405,
                             .heap_length = 9,
                             .payload_offset = 7,
                             .items = {addressed(0x1000, 8), immediate(0x1001, 0xfffffffff)},
                             .payload = from_octets({0xaa, 0xbb})};
    CHECK(packet.encode() == from_octets({0x53, 4,    3, 5,   0,    0,    0,    6,     //
                                          0x80, 0,    1, 1,   2,    3,    4,    5,     //
                                          0x80, 0,    2, 0,   0,    0,    0,    9,     //
                                          0x80, 0,    3, 0,   0,    0,    0,    7,     //
                                          0x80, 0,    4, 0,   0,    0,    0,    2,     //
                                          0x00, 0x10, 0, 0,   0,    0,    0,    8,     //
                                          0x80, 0x10, 1, 0xf, 0xff, 0xff, 0xff, 0xff,  //
                                          0xaa, 0xbb}));
}

TEST_CASE("the packets of a heap carry all of its pointers and all of its payload", "[packet_builder]") {
    wire_heap heap{.cnt = 3, .values = {{0x1000, pattern(1000)}, {0x1001, pattern(37, 2)}}};
    for (std::uint64_t i = 0; i < 40; ++i) heap.immediates.push_back(immediate(0x2000 + i, i));
    const bool repeat = GENERATE(false, true);
    const std::vector<wire_packet> packets = heap.split({.packet_bytes_max = 512, .repeat_pointers = repeat});

    bytes payload;
    std::vector<wire_item> items;
    for (const wire_packet& each : packets) {
        CHECK(each.encode().size() <= 512);
        CHECK(each.payload_offset == payload.size());
        CHECK(each.heap_length == 1037U);
        CHECK_FALSE(each.payload.empty());
        payload.insert(payload.end(), each.payload.begin(), each.payload.end());
        if (repeat)
            CHECK(each.items == heap.items());
        else
            items.insert(items.end(), each.items.begin(), each.items.end());
    }
    CHECK(payload == heap.payload());
    if (!repeat) CHECK(items == heap.items());
}

TEST_CASE("heaps with too little payload get zero padding, with an addressed NULL pointer where it starts",
          "[packet_builder]") {
    wire_heap heap{.values = {{0x1000, pattern(5)}}};
    for (std::uint64_t i = 0; i < 30; ++i) heap.immediates.push_back(immediate(0x2000 + i, i));
    const std::vector<wire_packet> packets = heap.split({.packet_bytes_max = 128});

    REQUIRE(packets.size() == 4);
    for (const wire_packet& each : packets) CHECK_FALSE(each.payload.empty());
    CHECK(packets.back().items.back() == addressed(0, 5));
    CHECK(packets.back().heap_length == 25U);
    CHECK(heap.split({.packet_bytes_max = 128, .pad = false}).back().payload.empty());
}

TEST_CASE("the packets of a heap come in another order, or without its length, when asked for", "[packet_builder]") {
    const wire_heap heap{.values = {{0x1000, pattern(2000)}}};
    CHECK(heap.split({.packet_bytes_max = 256, .order = packet_order::reversed}).back().payload_offset == 0);
    CHECK(heap.split({.packet_bytes_max = 256, .order = packet_order::shuffled, .seed = 1}).size() ==
          heap.split({.packet_bytes_max = 256}).size());
    CHECK_FALSE(heap.split({.say_length = false}).front().heap_length.has_value());
}
