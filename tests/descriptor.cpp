// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/descriptor.hpp>

#include <catch2/catch.hpp>

#include <random>

#include "support/comparison.hpp"
#include "support/descriptor_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;

namespace {

struct decoded {
    std::vector<descriptor> found;
    std::size_t dropped = 0;
};

decoded decode(const bytes& data, compatibility mask = compatibility::none) {
    decoded out;
    out.found = decode_descriptors(data, mask, out.dropped);
    return out;
}

/// A descriptor's packet with these items.
wire_packet descriptor_packet(std::vector<wire_item> items, const bytes& payload) {
    return {.heap_length = payload.size(), .items = std::move(items), .payload = payload};
}

}  // namespace

TEST_CASE("a DESCRIPTOR item's bytes are SPEAD packets of their own, read in order", "[descriptor]") {
    const bytes first = wire_descriptor{.id = 0x1000, .name = "gains", .description = "per antenna"}.encode();
    const bytes second = wire_descriptor{.id = 0x1001, .name = "time"}.encode();
    const decoded out = decode(join({first, second}));
    REQUIRE(out.found.size() == 2);
    CHECK(out.found[0] == descriptor{.id = 0x1000, .name = "gains", .description = "per antenna"});
    CHECK(out.found[1] == descriptor{.id = 0x1001, .name = "time"});
    CHECK(out.dropped == 0);
}

TEST_CASE("FORMAT is records of one character and a bit count as wide as an item id, SHAPE of flags and a size as wide "
          "as an address",
          "[descriptor]") {
    const unsigned address_bits = GENERATE(8U, 16U, 24U, 32U, 40U, 48U, 56U);
    const bytes data = wire_descriptor{
        .address_bits = address_bits,
        .id = 0x40,
        .name = "x",
        .format = {{'b', 1}, {'i', 7}, {'f', 64}},
        .shape = {-1, 200}}.encode();
    const decoded out = decode(data);
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].format == std::vector<format_field>{{'b', 1}, {'i', 7}, {'f', 64}});
    CHECK(out.found[0].shape == std::vector<std::int64_t>{descriptor::variable, 200});
}

TEST_CASE("trailing partial records are ignored", "[descriptor]") {
    const bytes format = join({record('u', 16, 2), from_octets({'i', 0})});
    const bytes shape = join({record(0, 3, 6), from_octets({0, 0, 0, 0, 0, 4})});
    const decoded out =
        decode(descriptor_packet({immediate(0x14, 7), addressed(0x13, 0), addressed(0x12, format.size())},
                                 join({format, shape}))
                   .encode());
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].format == std::vector<format_field>{{'u', 16}});
    CHECK(out.found[0].shape == std::vector<std::int64_t>{3});
}

TEST_CASE("only flag bit 0 makes a dimension variable, whatever its size says", "[descriptor]") {
    const bytes shape = join({record(0xfe, 5, 6), record(0x01, 5, 6), record(0x00, (1ULL << 48) - 1, 6)});
    const decoded out = decode(descriptor_packet({immediate(0x14, 7), addressed(0x12, 0)}, shape).encode());
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].shape == std::vector<std::int64_t>{5, -1, (1LL << 48) - 1});
}

TEST_CASE("ID must be immediate, else the descriptor is dropped and counted", "[descriptor]") {
    const bytes name = from_text("nameless");
    CHECK(decode(descriptor_packet({addressed(0x10, 0)}, name).encode()).dropped == 1);
    CHECK(decode(descriptor_packet({addressed(0x14, 0)}, name).encode()).dropped == 1);
    CHECK(decode(descriptor_packet({immediate(0x14, 0), addressed(0x10, 0)}, name).encode()).dropped == 1);

    // The next one is still read.
    const decoded out = decode(join(
        {descriptor_packet({addressed(0x10, 0)}, name).encode(), wire_descriptor{.id = 9, .name = "good"}.encode()}));
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].name == "good");
    CHECK(out.dropped == 1);
}

TEST_CASE("of two fields with one id the last in the order of a finished heap's items wins", "[descriptor]") {
    const decoded out =
        decode(descriptor_packet({addressed(0x10, 3), immediate(0x14, 8), addressed(0x10, 0), immediate(0x14, 7)},
                                 from_text("onetwo"))
                   .encode());
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].name == "two");
    CHECK(out.found[0].id == 8);
}

TEST_CASE("an immediate field is the bytes of its value", "[descriptor]") {
    const decoded out =
        decode(descriptor_packet({immediate(0x14, 7), immediate(0x10, 0x616263646566)}, zeros(1)).encode());
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].name == "abcdef");
}

TEST_CASE("a NAME that is not UTF-8 is kept as it came", "[descriptor]") {
    const std::string name("\xff\xfe\x00gain\xc3", 8);
    CHECK(decode(wire_descriptor{.name = name}.encode()).found.at(0).name == name);
}

TEST_CASE("the compatibility mask says which of PySPEAD's habits the sender has", "[descriptor]") {
    const unsigned mask = GENERATE(0U, 1U, 2U, 3U, 4U, 7U);
    const bytes data = wire_descriptor{.address_bits = 40,
                                       .name = "x",
                                       .format = {{'u', 32}, {'c', 8}},
                                       .shape = {-1, 3},
                                       .compatibility_mask = mask}
                           .encode();
    const decoded out = decode(data, static_cast<compatibility>(mask));
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0].format == std::vector<format_field>{{'u', 32}, {'c', 8}});
    CHECK(out.found[0].shape == std::vector<std::int64_t>{-1, 3});
}

TEST_CASE("the compatibility mask leaves a numpy header as it came", "[descriptor]") {
    const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}";
    const bytes data = wire_descriptor{.name = "x", .numpy_header = header}.encode();
    CHECK(decode(data, compatibility::pyspead).found.at(0).numpy_header == header);
}

TEST_CASE("a descriptor may take several packets, each continuing where the last ended", "[descriptor]") {
    const wire_heap heap = wire_descriptor{.name = "long", .description = std::string(1000, 'x')}.heap();
    const std::vector<bytes> packets = encode(heap.split({.packet_bytes_max = 128}));
    REQUIRE(packets.size() > 10);
    CHECK(decode(join(packets)).found.at(0).description == std::string(1000, 'x'));

    std::vector<bytes> gap = packets;
    gap.erase(gap.begin() + 5);
    CHECK(decode(join(gap)).found.empty());
    CHECK(decode(join(gap)).dropped == packets.size() - 5);  // what came behind the gap, and the descriptor
}

TEST_CASE("a descriptor without HEAP_LENGTH ends with the next one, or with the item", "[descriptor]") {
    const wire_packet first{
        .heap_cnt = 1, .items = {immediate(0x14, 7), addressed(0x10, 0)}, .payload = from_text("a")};
    const wire_packet second{
        .heap_cnt = 2, .items = {immediate(0x14, 8), addressed(0x10, 0)}, .payload = from_text("b")};
    const decoded out = decode(join({first.encode(), second.encode()}));
    REQUIRE(out.found.size() == 2);
    CHECK(out.found[0].name == "a");
    CHECK(out.found[1].name == "b");
}

TEST_CASE("packets inside a DESCRIPTOR are bounded by that item's own length", "[descriptor]") {
    const bytes whole = wire_descriptor{.name = "gains"}.encode();
    for (std::size_t length = 1; length < whole.size(); ++length) {
        const decoded out = decode({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
        CHECK(out.found.empty());
        CHECK(out.dropped == 1);
    }
    CHECK(decode({}).dropped == 0);
}

TEST_CASE("what is behind the last packet of a DESCRIPTOR is dropped and counted", "[descriptor]") {
    const decoded out = decode(join({wire_descriptor{.name = "gains"}.encode(), zeros(5)}));
    CHECK(out.found.size() == 1);
    CHECK(out.dropped == 1);
}

TEST_CASE("a descriptor whose item address lies beyond its end is dropped", "[descriptor]") {
    const bytes name = from_text("gains");
    for (const std::uint64_t address : {std::uint64_t{6}, std::uint64_t{1} << 46}) {
        const wire_packet sized = descriptor_packet({immediate(0x14, 7), addressed(0x10, address)}, name);
        wire_packet unsized = sized;
        unsized.heap_length.reset();
        CHECK(decode(sized.encode()).found.empty());
        CHECK(decode(unsized.encode()).found.empty());
    }
}

TEST_CASE("descriptors in descriptors are not read", "[descriptor]") {
    bytes nested = wire_descriptor{.id = 1, .name = "innermost"}.encode();
    for (std::uint64_t depth = 2; depth < 1000; ++depth)
        nested = descriptor_packet({immediate(0x14, depth), addressed(5, 0)}, nested).encode();
    const decoded out = decode(nested);
    REQUIRE(out.found.size() == 1);
    CHECK(out.found[0] == descriptor{.id = 999});
}

TEST_CASE("a descriptor with 65535 pointers, all at one address or none alike, is read in no time", "[descriptor]") {
    const bool alike = GENERATE(true, false);
    raw_packet raw = descriptor_packet({immediate(0x14, 7)}, from_text("name")).raw();
    while (raw.pointers.size() < 65535)
        raw.pointers.push_back(addressed(0x10 + (alike ? 0 : raw.pointers.size()), 0).encode(48));
    const auto start = std::chrono::steady_clock::now();
    CHECK(decode(raw.encode()).found.size() == 1);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

namespace {

/// Packets of descriptors of which most are right: some are split, cut, or have fields that contradict one another.
bytes random_descriptors(std::mt19937_64& random) {
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    bytes out;
    for (std::uint64_t count = 1 + below(3); count > 0; --count) {
        wire_heap heap{.address_bits = static_cast<unsigned>(8 * (1 + below(7))), .cnt = below(3)};
        for (std::uint64_t i = below(5); i > 0; --i)
            heap.values.push_back({0x10 + below(6), pattern(below(20), random())});
        for (std::uint64_t i = below(4); i > 0; --i) heap.immediates.push_back(immediate(0x10 + below(6), below(300)));
        const split_options options{.packet_bytes_max = below(2) == 0 ? 64 + 8 * below(8) : 1472,
                                    .say_length = below(4) != 0};
        for (wire_packet& each : heap.split(options)) {
            if (below(20) == 0) continue;
            if (below(20) == 0) each.payload_offset += below(3);
            if (below(20) == 0) each.items.push_back(addressed(below(8), below(60)));
            out = join({out, each.encode()});
        }
    }
    if (!out.empty() && below(5) == 0) out[below(out.size())] = static_cast<std::byte>(random());
    return out;
}

}  // namespace

TEST_CASE("whatever the bytes, the descriptors are the reference decoder's", "[descriptor]") {
    std::mt19937_64 random(20240608);
    std::size_t found = 0;
    for (int i = 0; i < 5000; ++i) {
        const bytes data = random_descriptors(random);
        const unsigned mask = static_cast<unsigned>(random() % 8);
        const decoded out = decode(data, static_cast<compatibility>(mask));
        INFO("item " << i);
        REQUIRE(difference(reference::decode_descriptors(to_octets(data), mask), out.found) == "");
        found += out.found.size();
    }
    CHECK(found > 1000);
}
