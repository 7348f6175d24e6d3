// SPDX-License-Identifier: BSD-3-Clause
#include "tools/heap_encoder.hpp"

#include <catch2/catch.hpp>
#include <verbcast/packet.hpp>

#include "tests/support/packet_builder.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::bytes;

namespace {

bytes joined(const outgoing_packet& packet) {
    bytes all = packet.header;
    all.insert(all.end(), packet.payload.begin(), packet.payload.end());
    return all;
}

/// The packets of a heap, as they go into datagrams.
std::vector<bytes> packets_of(flavour kind, std::size_t packet_bytes_max, const outgoing_heap& heap) {
    heap_encoder encoder(kind, packet_bytes_max, heap);
    std::vector<bytes> all;
    outgoing_packet packet;
    while (!encoder.done()) {
        encoder.next(packet);
        all.push_back(joined(packet));
    }
    return all;
}

packet decoded(const bytes& datagram) {
    packet result;
    REQUIRE(decode_datagram(datagram, result) == std::nullopt);
    return result;
}

bytes heap_payload(const std::vector<bytes>& datagrams) {
    bytes payload;
    for (const bytes& each : datagrams) {
        const packet one = decoded(each);
        CHECK(one.payload_offset == payload.size());
        payload.insert(payload.end(), one.payload.begin(), one.payload.end());
    }
    return payload;
}

/// The item pointers in the packets, without the specials.
std::vector<std::uint64_t> item_pointers(const std::vector<bytes>& datagrams) {
    std::vector<std::uint64_t> items;
    for (const bytes& each : datagrams) {
        const packet one = decoded(each);
        for (std::size_t at = 4 * 8; at < one.pointers.size(); at += 8) {
            std::uint64_t raw = 0;
            for (std::size_t i = 0; i < 8; ++i) raw = raw << 8 | static_cast<std::uint64_t>(one.pointers[at + i]);
            items.push_back(raw);
        }
    }
    return items;
}

std::vector<std::uint64_t> raw(const std::vector<item_pointer>& pointers) {
    std::vector<std::uint64_t> values;
    for (const item_pointer each : pointers) values.push_back(each.raw());
    return values;
}

const std::vector<flavour> all_flavours{{8}, {16}, {24}, {32}, {40}, {48}, {56}};

}  // namespace

TEST_CASE("a heap of any flavour and size comes out of its packets as it was") {
    for (const flavour kind : all_flavours)
        for (const std::size_t size : {1, 7, 8, 100, 255, 9000}) {
            if (size > kind.address_max()) continue;
            for (const std::size_t packet_bytes : {56, 63, 64, 1472, 9172}) {
                CAPTURE(kind.address_bits, size, packet_bytes);
                const bytes payload = test::pattern(size);
                const outgoing_heap heap{
                    .cnt = kind.address_max(), .pointers = {addressed_pointer(kind, 0x40, 0)}, .payload = payload};
                const std::vector<bytes> datagrams = packets_of(kind, packet_bytes, heap);
                CHECK(heap_payload(datagrams) == payload);
                CHECK(item_pointers(datagrams) == raw(heap.pointers));
                for (const bytes& each : datagrams) {
                    CHECK(decoded(each).heap_cnt == heap.cnt);
                    CHECK(decoded(each).heap_length == size);
                    CHECK(decoded(each).address_bits == kind.address_bits);
                }
            }
        }
}

TEST_CASE("all packets but the last are as long as they may be, in multiples of 8 bytes, and so is their payload") {
    const bytes payload = test::pattern(10'001);
    const std::vector<bytes> datagrams =
        packets_of({48}, 1477, {.cnt = 1, .pointers = {addressed_pointer({48}, 0x1000, 0)}, .payload = payload});
    REQUIRE(datagrams.size() == 7);
    for (std::size_t i = 0; i + 1 < datagrams.size(); ++i) {
        CHECK(datagrams[i].size() == 1472);
        CHECK(decoded(datagrams[i]).payload.size() % 8 == 0);
    }
    CHECK(datagrams.back().size() < 1472);
}

TEST_CASE("item pointers that do not fit into one packet are in as many of the first ones as they need") {
    const flavour kind{48};
    std::vector<item_pointer> pointers;
    for (std::uint64_t i = 0; i < 100; ++i) pointers.push_back(immediate_pointer(kind, 0x1000 + i, i));
    const bytes payload = test::pattern(5000);
    const std::vector<bytes> datagrams = packets_of(kind, 128, {.cnt = 1, .pointers = pointers, .payload = payload});
    CHECK(item_pointers(datagrams) == raw(pointers));
    CHECK(heap_payload(datagrams) == payload);
    CHECK(decoded(datagrams.back()).items == 0);
}

TEST_CASE("a heap with less payload than its pointers need packets is padded with zeros behind a NULL pointer") {
    const flavour kind{48};
    for (const std::size_t own : {0, 1, 5, 60}) {
        CAPTURE(own);
        std::vector<item_pointer> pointers;
        for (std::uint64_t i = 0; i < 100; ++i) pointers.push_back(immediate_pointer(kind, 0x1000 + i, i));
        bytes payload = test::pattern(own);
        const std::vector<bytes> datagrams =
            packets_of(kind, 128, {.cnt = 1, .pointers = pointers, .payload = payload});
        pointers.push_back(addressed_pointer(kind, item_id::null, own));
        CHECK(item_pointers(datagrams) == raw(pointers));
        for (const bytes& each : datagrams) CHECK(!decoded(each).payload.empty());
        const std::size_t length = decoded(datagrams.front()).heap_length;
        REQUIRE(length > own);
        payload.resize(length);
        CHECK(heap_payload(datagrams) == payload);
    }
}

TEST_CASE("the stop heap is, byte for byte, the one that other senders send") {
    const std::vector<bytes> datagrams = packets_of({48}, 1472, stop_heap({48}, 5));
    REQUIRE(datagrams.size() == 1);
    CHECK(datagrams.front() == test::from_octets({
                                   0x53, 4, 2, 6, 0, 0, 0, 6,     //
                                   0x80, 1, 0, 0, 0, 0, 0, 5,     // HEAP_CNT 5
                                   0x80, 2, 0, 0, 0, 0, 0, 1,     // HEAP_LENGTH 1
                                   0x80, 3, 0, 0, 0, 0, 0, 0,     // PAYLOAD_OFFSET 0
                                   0x80, 4, 0, 0, 0, 0, 0, 1,     // PAYLOAD_LENGTH 1
                                   0x80, 6, 0, 0, 0, 0, 0, 2,     // STREAM_CTRL 2
                                   0,    0, 0, 0, 0, 0, 0, 0, 0,  // NULL, and its byte
                               }));
    CHECK(decoded(datagrams.front()).stops);
}

TEST_CASE("a descriptor of any flavour with room for it is read as it was written") {
    const descriptor numpy{.id = 0x40,
                           .name = "data",
                           .description = "some data",
                           .numpy_header = "{'shape': (8,), 'fortran_order': False, 'descr': '|u1'}"};
    const descriptor format{.id = 0x41,
                            .name = "x",
                            .description = "",
                            .format = {{'u', 12}, {'f', 64}},
                            .shape = {3, descriptor::variable}};
    for (const flavour kind : all_flavours)
        for (const descriptor& each : {numpy, format}) {
            CAPTURE(kind.address_bits, each.name);
            std::size_t dropped = 0;
            const auto read = decode_descriptors(encode_descriptor(kind, each), compatibility::none, dropped);
            REQUIRE(read.size() == 1);
            CHECK(read.front() == each);
            CHECK(dropped == 0);
        }
}

TEST_CASE("a descriptor that its flavour cannot hold is not written") {
    CHECK(encode_descriptor({8}, {.id = 0x1000, .name = "id too large"}).empty());
    CHECK(encode_descriptor({8}, {.id = 0x40, .name = std::string(255, 'x')}).empty());
    CHECK(!encode_descriptor({8}, {.id = 0x40, .name = std::string(254, 'x')}).empty());
}
