// SPDX-License-Identifier: BSD-3-Clause
// What becomes of heaps: JSON, text, files, verdicts.
#include <catch2/catch.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

#include "tests/support/packet_builder.hpp"
#include "tests/tools/temporary_folder.hpp"
#include "tools/heap_saver.hpp"
#include "tools/heap_verifier.hpp"
#include "tools/json_output.hpp"
#include "tools/text_output.hpp"
#include "tools/verify_pattern.hpp"

using namespace verbcast;
using namespace verbcast::tools;
using test::bytes;
using test::temporary_folder;
using test::wire_heap;
using test::wire_packet;

namespace {

std::vector<heap_ref> received(const std::vector<bytes>& packets) {
    ring_stream stream(thread_pool(), {.when_full = full_policy::wait, .incomplete = incomplete_policy::deliver});
    const bytes all = test::join(packets);
    stream.add_reader(memory_reader_config{.bytes = all});
    std::vector<heap_ref> heaps;
    for (const heap_ref& each : stream) heaps.push_back(each);
    return heaps;
}

heap_ref one_heap(const wire_heap& heap) {
    const std::vector<heap_ref> heaps = received(test::encode(heap.split()));
    REQUIRE(heaps.size() == 1);
    return heaps.front();
}

/// 16 bytes of 64.
heap_ref incomplete_heap() {
    const wire_packet part{.heap_cnt = 9,
                           .heap_length = 64,
                           .payload_offset = 0,
                           .items = {test::addressed(0x1000, 0), test::immediate(0x1600, 5)},
                           .payload = test::pattern(16)};
    const std::vector<heap_ref> heaps = received({part.encode()});
    REQUIRE(heaps.size() == 1);
    return heaps.front();
}

bytes file_bytes(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return test::from_text(text.str());
}

bytes patterned(std::uint64_t cnt, std::size_t size) {
    bytes data(size);
    fill_pattern(cnt, data);
    return data;
}

}  // namespace

TEST_CASE("the CRC-32 is zlib's") {
    CHECK(crc32(test::from_text("123456789")) == 0xcbf43926);
    CHECK(crc32({}) == 0);
}

TEST_CASE("a complete heap is JSON in the manifest's shape") {
    const heap_ref heap = one_heap({.cnt = 7,
                                    .values = {{0x1000, test::from_text("123456789")}},
                                    .immediates = {test::immediate(0x1600, 5), test::immediate(6, 0)}});
    CHECK(json_line(heap_object(*heap)) ==
          R"({"cnt":7,"status":"complete","addr_bits":48,"start":true,"items":[)"
          R"({"id":4096,"crc32":"cbf43926","length":9},{"id":6,"imm":0,"length":6},{"id":5632,"imm":5,"length":6}]})"
          "\n");
}

TEST_CASE("an incomplete heap is JSON with what came of it") {
    CHECK(json_line(heap_object(*incomplete_heap())) ==
          R"({"cnt":9,"status":"incomplete","addr_bits":48,"heap_length":64,"received":16,"ranges":[[0,16]],)"
          R"("items":[{"id":5632,"imm":5,"length":6}]})"
          "\n");
}

TEST_CASE("bytes that are not UTF-8 are U+FFFD in JSON") {
    CHECK(json_line({{"name", "a\xff"}}) == "{\"name\":\"a\xef\xbf\xbd\"}\n");
}

TEST_CASE("statistics are JSON with all reasons, and null for what nobody counts") {
    stream_stats stats;
    stats.account.received = 3;
    stats.account.rejected[reject_reason::duplicate] = 1;
    stats.lost.kernel_buffers = 4;
    stats.groups.push_back({.name = "239.0.0.1:1", .received = 3});
    const json object = stats_object(stats);
    CHECK(object["account"]["rejected"].size() == reject_reason_count);
    CHECK(object["account"]["ignored"].size() == ignore_reason_count);
    CHECK(object["account"]["rejected"]["duplicate"] == 1);
    CHECK(object["lost"]["kernel_buffers"] == 4);
    CHECK(object["lost"]["nic"].is_null());
    CHECK(object["groups"]["239.0.0.1:1"]["received"] == 3);
}

TEST_CASE("a heap is text with its items and their names") {
    heap_printer printer;
    const std::string text = printer.text_of(*one_heap({.cnt = 7, .values = {{0x1000, test::from_text("123456789")}}}));
    CHECK(text == "heap 7: complete, 9 bytes in 1 packet, SPEAD-64-48\n"
                  "    0x1000                             9  bytes, crc32 cbf43926: 31 32 33 34 35 36 37 38 ...\n");
}

TEST_CASE("an incomplete heap is text that says what is missing") {
    heap_printer printer;
    CHECK(printer.text_of(*incomplete_heap()) == "heap 9: incomplete, 16 of 64 bytes in 1 packet, SPEAD-64-48\n"
                                                 "    0x1600                             5  value\n"
                                                 "    missing: bytes 16 to 63\n");
}

TEST_CASE("the account in words names each term that is not zero") {
    stream_stats stats;
    stats.account.received = 1'234'567;
    stats.account.delivered_complete = 1'234'000;
    stats.account.rejected[reject_reason::trailing_bytes] = 567;
    CHECK(account_text(stats) == "packets received              1,234,567\n"
                                 "  in complete heaps           1,234,000\n"
                                 "  rejected                          567\n"
                                 "    trailing_bytes                  567  bytes behind the packet in its datagram\n"
                                 "lost by the kernel                    -  not counted\n"
                                 "lost by the NIC                       -  not counted\n"
                                 "heaps                                 0\n");
}

TEST_CASE("anything that did not reach its user is a loss, but for duplicates and what a stop cut off") {
    CHECK(!has_losses({}));
    stream_stats harmless;
    harmless.account.rejected[reject_reason::duplicate] = 1;
    harmless.account.rejected[reject_reason::overlap] = 1;
    harmless.account.ignored[ignore_reason::after_stop] = 1;
    harmless.account.dropped_user_stop = 1;
    harmless.lost.kernel_buffers = 0;
    CHECK(!has_losses(harmless));
    const auto lossy = [](auto change) {
        stream_stats stats;
        change(stats);
        return has_losses(stats) && losses_text(stats) != "none";
    };
    CHECK(lossy([](stream_stats& s) { s.lost.kernel_buffers = 1; }));
    CHECK(lossy([](stream_stats& s) { s.lost.nic = 1; }));
    CHECK(lossy([](stream_stats& s) { s.account.dropped_ring_full = s.heaps_dropped_ring_full = 1; }));
    CHECK(lossy([](stream_stats& s) { s.account.dropped_incomplete = s.incomplete_heaps_evicted = 1; }));
    CHECK(lossy([](stream_stats& s) { s.account.delivered_incomplete = s.incomplete_heaps_flushed = 1; }));
    CHECK(lossy([](stream_stats& s) { s.account.rejected[reject_reason::start_missing] = 1; }));
    CHECK(lossy([](stream_stats& s) { s.account.dropped_error = 1; }));
}

TEST_CASE("saved heaps are files with the items' bytes, and a line of JSON each") {
    const temporary_folder folder;
    heap_saver saver(folder.path() / "run");
    const bytes first = test::pattern(3000);
    saver.save(*one_heap({.cnt = 7,
                          .values = {{0x1000, first}, {0x1001, test::pattern(10)}, {0x1000, test::pattern(20)}},
                          .immediates = {test::immediate(0x1600, 5)}}));
    const std::filesystem::path heap = folder.path() / "run/heap-7";
    CHECK(file_bytes(heap / "0x1000.bin") == first);
    CHECK(file_bytes(heap / "0x1001.bin") == test::pattern(10));
    CHECK(file_bytes(heap / "0x1000-2.bin") == test::pattern(20));
    std::ifstream index(folder.path() / "run/heaps.jsonl");
    std::string line;
    REQUIRE(std::getline(index, line));
    const json about = json::parse(line);
    CHECK(about["cnt"] == 7);
    CHECK(about["folder"] == "heap-7");
    CHECK(about["items"][0]["file"] == "0x1000.bin");
    CHECK(about["items"][3]["imm"] == 5);
    CHECK(saver.heaps() == 1);
}

TEST_CASE("a cnt that comes again is saved beside the first") {
    const temporary_folder folder;
    heap_saver saver(folder.path());
    for (int i = 0; i < 3; ++i) saver.save(*one_heap({.cnt = 7, .values = {{0x1000, test::pattern(10)}}}));
    for (const char* const name : {"heap-7", "heap-7-2", "heap-7-3"})
        CHECK(std::filesystem::exists(folder.path() / name / "0x1000.bin"));
}

TEST_CASE("of an incomplete heap the payload is saved, with zeros where nothing came") {
    const temporary_folder folder;
    heap_saver saver(folder.path());
    saver.save(*incomplete_heap());
    const bytes saved = file_bytes(folder.path() / "heap-9/payload.bin");
    REQUIRE(saved.size() >= 16);
    CHECK(bytes(saved.begin(), saved.begin() + 16) == test::pattern(16));
}

TEST_CASE("a folder with something in it is not saved into") {
    const temporary_folder folder;
    std::ofstream(folder.path() / "precious") << "x";
    CHECK_THROWS_WITH(heap_saver(folder.path()), Catch::Contains("is not empty"));
    CHECK(file_bytes(folder.path() / "precious") == test::from_text("x"));
}

TEST_CASE("a folder that cannot be made is an error with its name") {
    CHECK_THROWS_WITH(heap_saver("/proc/verbcast"), Catch::Contains("/proc/verbcast"));
}

TEST_CASE("a heap with a wrong byte is bad, and its place is named") {
    heap_verifier verifier;
    bytes data = patterned(7, 1000);
    CHECK(verifier.check(*one_heap({.cnt = 7, .values = {{0x1000, data}}})) == std::nullopt);
    data[500] ^= std::byte{1};
    CHECK(verifier.check(*one_heap({.cnt = 7, .values = {{0x1000, data}}})) ==
          "heap 7: byte 500 of 1000 is not what send --verify wrote there");
    CHECK(verifier.heaps_ok() == 1);
    CHECK(verifier.heaps_bad() == 1);
}

TEST_CASE("a heap of another sender is bad") {
    heap_verifier verifier;
    CHECK(verifier.check(*one_heap({.cnt = 7, .values = {{0x2000, test::pattern(10)}}})));
    CHECK(verifier.heaps_bad() == 1);
}

TEST_CASE("a heap that only starts or stops, or is not whole, is neither good nor bad") {
    heap_verifier verifier;
    CHECK(!verifier.check(*incomplete_heap()));
    CHECK(!verifier.check(*one_heap({.cnt = 7, .immediates = {test::immediate(6, 0)}})));
    CHECK(verifier.heaps_ok() + verifier.heaps_bad() == 0);
}
