// SPDX-License-Identifier: BSD-3-Clause
#include "tools/heap_factory.hpp"

#include <catch2/catch.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

#include "tests/support/packet_builder.hpp"
#include "tools/command.hpp"
#include "tools/heap_verifier.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::bytes;

namespace {

/// The packets of the first `count` heaps, one behind the other.
bytes packets_of_heaps(const heap_factory& factory, flavour kind, std::uint64_t count,
                       std::size_t packet_bytes = 1472) {
    bytes all;
    for (std::uint64_t i = 0; i < count; ++i) {
        std::vector<std::byte> storage;
        heap_encoder encoder(kind, packet_bytes, factory.make(i, storage));
        outgoing_packet packet;
        while (!encoder.done()) {
            encoder.next(packet);
            all.insert(all.end(), packet.header.begin(), packet.header.end());
            all.insert(all.end(), packet.payload.begin(), packet.payload.end());
        }
    }
    return all;
}

/// What a receiver makes of them.
std::vector<heap_ref> received(const bytes& packets) {
    ring_stream stream(thread_pool(), {.when_full = full_policy::wait, .incomplete = incomplete_policy::deliver});
    stream.add_reader(memory_reader_config{.bytes = packets});
    std::vector<heap_ref> heaps;
    for (const heap_ref& each : stream) heaps.push_back(each);
    return heaps;
}

}  // namespace

TEST_CASE("heaps made to be verified are verified by their receiver, whatever the flavour") {
    for (const unsigned bits : {8, 16, 24, 32, 40, 48, 56}) {
        CAPTURE(bits);
        const flavour kind{bits};
        const heap_factory factory({.kind = kind, .heap_bytes = 251, .verify = true});
        heap_verifier verifier;
        // More heaps than 64-8 has cnts.
        for (const heap_ref& each : received(packets_of_heaps(factory, kind, 300))) {
            CHECK(each->status() == heap_status::complete);
            CHECK(verifier.check(*each) == std::nullopt);
        }
        CHECK(verifier.heaps_ok() == 300);
        CHECK(verifier.heaps_bad() == 0);
    }
}

TEST_CASE("the first heap of each group starts the stream and describes its items, the others do not") {
    const flavour kind{48};
    const heap_factory factory({.kind = kind, .heap_bytes = 5000, .groups = 2});
    const std::vector<heap_ref> heaps = received(packets_of_heaps(factory, kind, 4));
    REQUIRE(heaps.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(heaps[i]->is_start() == (i < 2));
        CHECK(heaps[i]->descriptors().size() == (i < 2 ? 2 : 0));
    }
    const std::vector<descriptor> about = heaps[0]->descriptors();
    CHECK(about[0].id == 0x1000);
    CHECK(about[0].numpy_header == "{'shape': (5000,), 'fortran_order': False, 'descr': '|u1'}");
    CHECK(about[1].id == 0x1600);
    CHECK(about[1].format == std::vector<format_field>{{'u', 48}});
}

TEST_CASE("a flavour without room for descriptors gets none") {
    const heap_factory factory({.kind = {8}, .heap_bytes = 200});
    CHECK(!factory.describes());
    const std::vector<heap_ref> heaps = received(packets_of_heaps(factory, {8}, 1));
    REQUIRE(heaps.size() == 1);
    CHECK(heaps[0]->is_start());
    CHECK(heaps[0]->descriptors().empty());
}

TEST_CASE("a heap that its flavour cannot hold is a usage error that says what it holds") {
    CHECK_THROWS_WITH(heap_factory({.kind = {16}, .heap_bytes = 65536}),
                      "--heap-size 65536 does not fit --flavour 64-16, whose heaps hold up to 65535 bytes");
    CHECK_NOTHROW(heap_factory({.kind = {16}, .heap_bytes = 65535}));
}

TEST_CASE("each heap says how much data came before it") {
    const flavour kind{48};
    const heap_factory factory({.kind = kind, .heap_bytes = 1000});
    const std::vector<heap_ref> heaps = received(packets_of_heaps(factory, kind, 3));
    REQUIRE(heaps.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(heaps[i]->cnt() == i + 1);
        CHECK(heaps[i]->items().back().id == 0x1600);
        CHECK(heaps[i]->items().back().value == i * 1000);
    }
}

TEST_CASE("storage of a heap that was sent can hold the next one") {
    const flavour kind{48};
    const heap_factory factory({.kind = kind, .heap_bytes = 1000, .verify = true});
    std::vector<std::byte> storage;
    std::vector<std::byte> fresh;
    for (std::uint64_t i = 0; i < 4; ++i) {
        const outgoing_heap again = factory.make(i, storage);
        fresh.clear();
        const outgoing_heap once = factory.make(i, fresh);
        CHECK(std::equal(again.payload.begin(), again.payload.end(), once.payload.begin(), once.payload.end()));
    }
}
