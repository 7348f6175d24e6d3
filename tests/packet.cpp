// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/packet.hpp>

#include <catch2/catch.hpp>

#include <random>

#include "support/comparison.hpp"
#include "support/packet_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

std::optional<reject_reason> refusal(const bytes& data) {
    packet decoded;
    return decode_packet(data, decoded);
}

packet decoded(const bytes& data) {
    packet out;
    REQUIRE_FALSE(decode_packet(data, out).has_value());
    return out;
}

/// The pointers of a packet at offset 0 with `payload_bytes` of payload in SPEAD-64-48.
std::vector<std::uint64_t> specials(std::uint64_t payload_bytes) {
    return {immediate(1, 1).encode(48), immediate(3, 0).encode(48), immediate(4, payload_bytes).encode(48)};
}

wire_packet some_packet() {
    return {.heap_cnt = 5,
            .heap_length = 64,
            .payload_offset = 16,
            .items = {addressed(0x1000, 0)},
            .payload = pattern(32)};
}

}  // namespace

TEST_CASE("a packet is its header, N item pointers of 8 bytes, then the payload", "[packet]") {
    const unsigned address_bits = GENERATE(8U, 16U, 24U, 32U, 40U, 48U, 56U);
    const std::uint64_t largest = (std::uint64_t{1} << address_bits) - 1;
    const wire_packet wire{.address_bits = address_bits,
                           .heap_cnt = largest,
                           .heap_length = 200,
                           .payload_offset = 7,
                           .items = {addressed(0x40, 9), immediate(0x41, largest), addressed(0, 150)},
                           .payload = pattern(50)};
    const bytes data = wire.encode();
    const packet out = decoded(data);

    CHECK(out.heap_cnt == largest);
    CHECK(out.heap_length == 200);
    CHECK(out.payload_offset == 7);
    CHECK(to_octets(out.payload) == to_octets(wire.payload));
    CHECK(out.pointers.size() == 7 * 8);
    CHECK(out.address_max == 150);
    CHECK(out.bytes == data.size());
    CHECK(out.items == 3);
    CHECK(out.address_bits == address_bits);
    CHECK_FALSE(out.stops);
}

TEST_CASE("packets may follow one another in memory", "[packet]") {
    const bytes first = some_packet().encode();
    CHECK(decoded(join({first, pattern(100)})).bytes == first.size());
}

TEST_CASE("the reserved bytes are ignored, whatever the value", "[packet]") {
    raw_packet raw = some_packet().raw();
    raw.reserved = 0xbeef;
    CHECK_FALSE(refusal(raw.encode()).has_value());
}

TEST_CASE("HEAP_LENGTH is optional", "[packet]") {
    wire_packet wire = some_packet();
    wire.heap_length.reset();
    CHECK(decoded(wire.encode()).heap_length == packet::length_unknown);
}

TEST_CASE("a special that appears twice: the last one wins", "[packet]") {
    raw_packet raw = some_packet().raw();
    raw.pointers.push_back(immediate(1, 77).encode(48));
    raw.pointers.push_back(immediate(2, 99).encode(48));
    raw.pointers.push_back(immediate(3, 8).encode(48));
    raw.pointers.push_back(immediate(4, 16).encode(48));
    const bytes data = raw.encode();
    const packet out = decoded(data);
    CHECK(out.heap_cnt == 77);
    CHECK(out.heap_length == 99);
    CHECK(out.payload_offset == 8);
    CHECK(out.payload.size() == 16);
}

TEST_CASE("specials may stand anywhere among the pointers", "[packet]") {
    raw_packet raw = some_packet().raw();
    std::reverse(raw.pointers.begin(), raw.pointers.end());
    const bytes data = raw.encode();
    CHECK(decoded(data).heap_cnt == 5);
    CHECK(decoded(data).items == 1);
}

TEST_CASE("an addressed pointer of any id counts as an item address, and is an item with ids 0 and above 4",
          "[packet]") {
    const std::uint64_t id = GENERATE(0U, 1U, 2U, 3U, 4U, 5U, 6U, 0x7fffU);
    wire_packet wire = some_packet();
    wire.items = {addressed(id, 60)};
    const bytes data = wire.encode();
    CHECK(decoded(data).address_max == 60);
    CHECK(decoded(data).items == (id == 0 || id > 4 ? 1 : 0));
}

TEST_CASE("only an immediate STREAM_CTRL of 2 says stop", "[packet]") {
    CHECK(decoded(stop_packet(1).encode()).stops);
    for (const wire_item& other :
         {immediate(6, 0), immediate(6, 1), immediate(6, 3), addressed(6, 2), immediate(7, 2)}) {
        wire_packet wire = some_packet();
        wire.items = {other};
        CHECK_FALSE(decoded(wire.encode()).stops);
    }
}

TEST_CASE("a packet shorter than 8 bytes is rejected", "[packet]") {
    const bytes whole = some_packet().encode();
    for (std::size_t length = 0; length < 8; ++length)
        CHECK(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}) ==
              reject_reason::too_short);
}

TEST_CASE("bad magic or version is rejected", "[packet]") {
    raw_packet raw = some_packet().raw();
    raw.magic = 0x54;
    CHECK(refusal(raw.encode()) == reject_reason::bad_magic);
    raw = some_packet().raw();
    raw.version = 3;
    CHECK(refusal(raw.encode()) == reject_reason::bad_magic);
}

TEST_CASE("bytes that are all the same are no packet", "[packet]") {
    for (unsigned value = 0; value < 256; ++value)
        CHECK(refusal(bytes(64, static_cast<std::byte>(value))) == reject_reason::bad_magic);
}

TEST_CASE("widths that are 0 or do not add up to 8 are rejected", "[packet]") {
    for (unsigned id_width = 0; id_width < 256; ++id_width) {
        for (const unsigned address_width : {0U, 1U, 6U, 7U, 8U, 255U, (264 - id_width) & 0xff}) {
            raw_packet raw{.item_id_width = static_cast<std::uint8_t>(id_width),
                           .address_width = static_cast<std::uint8_t>(address_width)};
            const bool valid = id_width > 0 && address_width > 0 && id_width + address_width == 8;
            CHECK(refusal(raw.encode()) == (valid ? reject_reason::special_missing : reject_reason::bad_widths));
        }
    }
}

TEST_CASE("item pointers that exceed the packet are rejected", "[packet]") {
    const std::vector<std::uint64_t> pointers = specials(0);
    CHECK(refusal(raw_packet{.pointer_count = 4, .pointers = pointers}.encode()) == reject_reason::pointers_cut);
    CHECK(refusal(raw_packet{.pointer_count = 65535, .pointers = pointers}.encode()) == reject_reason::pointers_cut);
    CHECK_FALSE(refusal(raw_packet{.pointer_count = 3, .pointers = pointers}.encode()).has_value());
}

TEST_CASE("a packet without HEAP_CNT, PAYLOAD_OFFSET or PAYLOAD_LENGTH as an immediate is rejected", "[packet]") {
    for (std::size_t missing = 0; missing < 3; ++missing) {
        raw_packet raw{.pointers = specials(0)};
        raw.pointers[missing] &= ~(std::uint64_t{1} << 63);  // addressed: does not count
        CHECK(refusal(raw.encode()) == reject_reason::special_missing);
        raw.pointers.erase(raw.pointers.begin() + static_cast<std::ptrdiff_t>(missing));
        CHECK(refusal(raw.encode()) == reject_reason::special_missing);
    }
}

TEST_CASE("a payload that exceeds the packet is rejected", "[packet]") {
    CHECK_FALSE(refusal(raw_packet{.pointers = specials(8), .payload = pattern(8)}.encode()).has_value());
    CHECK(refusal(raw_packet{.pointers = specials(9), .payload = pattern(8)}.encode()) == reject_reason::payload_cut);
    const std::uint64_t largest = (std::uint64_t{1} << 48) - 1;
    CHECK(refusal(raw_packet{.pointers = specials(largest), .payload = pattern(8)}.encode()) ==
          reject_reason::payload_cut);
}

TEST_CASE("a payload that ends after HEAP_LENGTH is rejected", "[packet]") {
    wire_packet wire = some_packet();
    wire.payload_offset = 32;
    CHECK_FALSE(refusal(wire.encode()).has_value());
    wire.payload_offset = 33;
    CHECK(refusal(wire.encode()) == reject_reason::beyond_heap_length);
    wire.payload_offset = (std::uint64_t{1} << 48) - 1;
    CHECK(refusal(wire.encode()) == reject_reason::beyond_heap_length);
    wire.heap_length.reset();
    CHECK_FALSE(refusal(wire.encode()).has_value());
}

TEST_CASE("a packet that is shorter than its datagram is rejected", "[packet]") {
    const bytes whole = some_packet().encode();
    packet out;
    CHECK_FALSE(decode_datagram(whole, out).has_value());
    CHECK(decode_datagram(join({whole, zeros(1)}), out) == reject_reason::trailing_bytes);
}

TEST_CASE("65535 item pointers are decoded", "[packet]") {
    raw_packet raw{.pointers = specials(0)};
    while (raw.pointers.size() < 65535) raw.pointers.push_back(addressed(0x1000, raw.pointers.size()).encode(48));
    const bytes data = raw.encode();
    const packet out = decoded(data);
    CHECK(out.items == 65532);
    CHECK(out.address_max == 65534);
}

namespace {

/// A packet that is nearly right: a few bytes of a good one changed, its end cut or more put behind it.
bytes mutated_packet(std::mt19937_64& random) {
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    wire_packet wire{.address_bits = static_cast<unsigned>(8 * (1 + below(7))),
                     .heap_cnt = below(5),
                     .payload_offset = below(20),
                     .payload = pattern(below(40))};
    if (below(2) == 0) wire.heap_length = below(70);
    for (std::uint64_t i = below(6); i > 0; --i)
        wire.items.push_back({.id = below(8), .immediate = below(2) == 0, .value = below(80)});
    raw_packet raw = wire.raw();
    std::shuffle(raw.pointers.begin(), raw.pointers.end(), random);
    bytes data = raw.encode();
    for (std::uint64_t i = below(4); i > 0; --i) data[below(data.size())] = static_cast<std::byte>(random());
    if (below(4) == 0) data.resize(below(data.size() + 20));
    return data;
}

}  // namespace

TEST_CASE("whatever the bytes, the packet is the reference decoder's", "[packet]") {
    std::mt19937_64 random(20240607);
    std::size_t accepted = 0;
    for (int i = 0; i < 20000; ++i) {
        const bytes data = mutated_packet(random);
        packet out;
        const auto refused = decode_packet(data, out);
        const std::string wrong = difference(reference::decode_packet(to_octets(data)), refused, out);
        const auto datagram_refused = decode_datagram(data, out);
        const std::string datagram_wrong =
            difference(reference::decode_datagram(to_octets(data)), datagram_refused, out);
        INFO("packet " << i);
        REQUIRE(wrong == "");
        REQUIRE(datagram_wrong == "");
        accepted += !refused;
    }
    // Both kinds were tried.
    CHECK(accepted > 2000);
    CHECK(accepted < 18000);
}
