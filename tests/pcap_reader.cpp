// SPDX-License-Identifier: BSD-3-Clause
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <verbcast/error.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "support/frame_builder.hpp"
#include "support/temporary_file.hpp"

using namespace verbcast;
using namespace verbcast::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// A heap that is one packet, in one datagram.
wire_datagram one_heap(std::uint64_t cnt, const std::string& destination = "239.255.88.1", std::uint16_t port = 7148) {
    return {.source = destination.find(':') == std::string::npos ? "10.0.0.1" : "fe80::1",
            .destination = destination,
            .destination_port = port,
            .payload = encode(wire_heap{.cnt = cnt, .values = {{0x1000, pattern(64, cnt)}}}.split()).at(0)};
}

bytes frame_of(std::uint64_t cnt) { return ethernet_frame(one_heap(cnt).encode()); }

/// What a capture with these frames gives, on this thread.
struct outcome {
    std::vector<std::uint64_t> cnts;
    std::vector<std::chrono::nanoseconds> arrivals;
    stream_stats stats;
    stop_reason reason;

    std::uint64_t ignored(ignore_reason why) const { return stats.account.ignored[why]; }
    const group_stats& group(const std::string& name) const {
        for (const group_stats& each : stats.groups)
            if (each.name == name) return each;
        throw std::out_of_range("no group " + name);
    }
};

outcome read(const bytes& content, const pcap_reader_config& config = {}) {
    const temporary_file file(content);
    pcap_reader_config with_file = config;
    with_file.file = file.name();

    outcome result;
    boost::asio::io_context context;
    stream receiver(context, [&](const heap_ref& heap) {
        result.cnts.push_back(heap->cnt());
        CHECK(heap->clock() == clock_source::kernel);
        result.arrivals.push_back(heap->first_arrival());
    });
    receiver.add_reader(with_file);
    context.run();
    result.stats = receiver.stats();
    result.reason = receiver.reason();
    CHECK(result.stats.account.balanced());
    return result;
}

outcome read(const std::vector<bytes>& frames, unsigned link_type = 1, const std::string& filter = "") {
    std::vector<wire_capture> captures;
    for (const bytes& each : frames) captures.push_back({.frame = each});
    return read(capture_file(captures, link_type), {.file = "", .filter = filter});
}

std::string refusal(const pcap_reader_config& config) {
    boost::asio::io_context context;
    stream receiver(context, [](const heap_ref&) {});
    try {
        receiver.add_reader(config);
    } catch (const config_error& error) {
        return std::string("config_error: ") + error.what();
    } catch (const std::system_error& error) {
        return error.what();
    }
    return "read";
}

constexpr std::chrono::nanoseconds epoch{1'700'000'000'123'456'789};

}  // namespace

TEST_CASE("a capture's datagrams become heaps, and its end ends the stream", "[pcap_reader]") {
    const outcome result = read({frame_of(1), frame_of(2), frame_of(3)});
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(result.reason.what == stop_reason::kind::readers_ended);
    CHECK(result.stats.account.received == 3);
    CHECK(result.group("239.255.88.1:7148").accepted == 3);
}

TEST_CASE("Ethernet, cooked and raw IP captures are read", "[pcap_reader]") {
    const bytes v4 = one_heap(1).encode();
    const bytes v6 = one_heap(2, "ff05::7148").encode();
    CHECK(read({ethernet_frame(v4, {{0x88a8, 1}, {0x8100, 2}}), ethernet_frame(v6)}, 1).cnts.size() == 2);
    CHECK(read({cooked_v1_frame(v4), cooked_v1_frame(v6)}, 113).cnts.size() == 2);
    CHECK(read({cooked_v2_frame(v4), cooked_v2_frame(v6)}, 276).cnts.size() == 2);
    CHECK(read({v4, v6}, 101).cnts.size() == 2);
    CHECK(read({v4}, 228).cnts.size() == 1);
    CHECK(read({v6}, 229).cnts.size() == 1);
}

TEST_CASE("pcap in both byte orders and resolutions, and pcapng, keep their times", "[pcap_reader]") {
    const auto format = GENERATE(capture_format::pcap_nanoseconds, capture_format::pcap_microseconds,
                                 capture_format::pcap_other_byte_order, capture_format::pcapng);
    const outcome result = read(
        capture_file({{.frame = frame_of(1), .time = epoch}, {.frame = frame_of(2), .time = epoch + 1s}}, 1, format));
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 2});
    const auto kept = format == capture_format::pcap_microseconds ? epoch / 1000 * 1000 : epoch;
    CHECK(result.arrivals.at(0) == kept);
    CHECK(result.arrivals.at(1) == kept + 1s);
}

TEST_CASE("frames that the filter does not match are not counted", "[pcap_reader]") {
    const std::vector<bytes> frames{frame_of(1), ethernet_frame(one_heap(2, "239.255.88.1", 7149).encode()),
                                    frame_of(3)};
    const outcome result = read(frames, 1, "udp port 7148");
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 3});
    CHECK(result.stats.account.received == 2);
}

TEST_CASE("each destination is a group, found as it comes", "[pcap_reader]") {
    const outcome result = read({frame_of(1), ethernet_frame(one_heap(2, "ff05::7148").encode()),
                                 ethernet_frame(one_heap(3, "239.255.88.1", 7149).encode()), frame_of(4)});
    CHECK(result.group("239.255.88.1:7148").accepted == 2);
    CHECK(result.group("[ff05::7148]:7148").accepted == 1);
    CHECK(result.group("239.255.88.1:7149").accepted == 1);
}

TEST_CASE("beyond 4096 destinations the rest are one group", "[pcap_reader]") {
    std::vector<bytes> frames;
    for (unsigned i = 0; i < 4100; ++i)
        frames.push_back(
            ethernet_frame(one_heap(i, "239.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)).encode()));
    const outcome result = read(frames);
    CHECK(result.cnts.size() == 4100);
    CHECK(result.stats.groups.size() == 4097);
    CHECK(result.group("239.1.15.255:7148").accepted == 1);
    CHECK(result.group("other").accepted == 4);
}

TEST_CASE("each frame without a datagram is ignored for its own reason", "[pcap_reader]") {
    wire_datagram tcp = one_heap(9);
    tcp.protocol = 6;
    wire_datagram piece = one_heap(9);
    piece.flags_and_offset = 0x2000;
    wire_datagram wrong = one_heap(9);
    wrong.udp_length = 4000;
    wire_datagram empty = one_heap(9);
    empty.payload.clear();
    bytes arp = frame_of(9);
    arp[13] = std::byte{0x06};

    const outcome result =
        read({frame_of(1), arp, arp, ethernet_frame(tcp.encode()), ethernet_frame(piece.encode()),
              ethernet_frame(wrong.encode()), zeros(10), ethernet_frame(empty.encode()), frame_of(2)});
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 2});
    CHECK(result.ignored(ignore_reason::not_ip) == 2);
    CHECK(result.ignored(ignore_reason::not_udp) == 1);
    CHECK(result.ignored(ignore_reason::fragment) == 1);
    CHECK(result.ignored(ignore_reason::bad_frame) == 2);
    CHECK(result.ignored(ignore_reason::empty) == 1);
    CHECK(result.stats.account.received == 9);
    CHECK(result.group("239.255.88.1:7148").ignored[ignore_reason::bad_frame] == 1);
}

TEST_CASE("a datagram that the snap length cut is ignored as such, under its group", "[pcap_reader]") {
    const outcome result = read(capture_file({{.frame = frame_of(1)},
                                              {.frame = frame_of(2), .captured = 96},
                                              {.frame = frame_of(3), .captured = 20},
                                              {.frame = frame_of(4)}}));
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 4});
    CHECK(result.ignored(ignore_reason::frame_cut) == 2);
    CHECK(result.group("239.255.88.1:7148").ignored[ignore_reason::frame_cut] == 1);
    CHECK(result.group("other").ignored[ignore_reason::frame_cut] == 1);
}

TEST_CASE("padding that the snap length cut is not missed", "[pcap_reader]") {
    const bytes frame = ethernet_frame(one_heap(1).encode(), {}, zeros(30));
    CHECK(read(capture_file({{.frame = frame, .captured = frame.size() - 30}})).cnts.size() == 1);
}

TEST_CASE("a truncated capture gives the heaps before the end, then says what is wrong and where", "[pcap_reader]") {
    const bytes whole = capture_file({{.frame = frame_of(1)}, {.frame = frame_of(2)}, {.frame = frame_of(3)}});
    const std::size_t record = 16 + frame_of(1).size();
    const std::size_t kept = GENERATE_COPY(24 + 2 * record + 5, 24 + 2 * record + 16 + 7);
    const outcome result = read(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept)));
    CHECK(result.cnts == std::vector<std::uint64_t>{1, 2});
    CHECK(result.reason.failed());
    CHECK(result.reason.message.find("after 2 frames, at byte " + std::to_string(kept) + ": truncated dump file") !=
          std::string::npos);
    CHECK_THROWS_AS(result.reason.rethrow_if_failed(), std::system_error);
}

TEST_CASE("a heap that is unfinished where a capture is truncated is delivered", "[pcap_reader]") {
    const std::vector<bytes> packets = encode(wire_heap{.cnt = 7, .values = {{0x1000, pattern(4000)}}}.split());
    std::vector<wire_capture> frames;
    for (const bytes& each : packets)
        frames.push_back({.frame = ethernet_frame(wire_datagram{.payload = each}.encode())});
    bytes content = capture_file(frames);
    content.resize(content.size() - 1);
    const outcome result = read(content);
    CHECK(result.cnts == std::vector<std::uint64_t>{7});
    CHECK(result.stats.account.delivered_incomplete == packets.size() - 1);
}

TEST_CASE("a file that is not a capture is refused with the reason", "[pcap_reader]") {
    const temporary_file empty(bytes{});
    CHECK(refusal({.file = empty.name()}).find(": not a capture: truncated dump file") != std::string::npos);
    const temporary_file text(from_text("this is no capture, just some text that is long enough"));
    CHECK(refusal({.file = text.name()}).find(": not a capture: unknown file format") != std::string::npos);
    const temporary_file bluetooth(capture_file({}, 187));
    CHECK(refusal({.file = bluetooth.name()}).find("only Ethernet, Linux cooked v1 and v2, and raw IP are read") !=
          std::string::npos);
}

TEST_CASE("a file that cannot be opened is told with call, name and reason", "[pcap_reader]") {
    CHECK(refusal({.file = "/nowhere/x.pcap"}) == "open(/nowhere/x.pcap): No such file or directory");
    CHECK(refusal({.file = "/"}) == "open(/): Is a directory");
}

TEST_CASE("a pipe is refused, since its writer could keep stop() waiting", "[pcap_reader]") {
    const std::string name = temporary_file(bytes{}).name();
    REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
    CHECK(refusal({.file = name}) ==
          "open(" + name +
              "): Invalid argument: only a regular file can be read without waiting: write the "
              "capture to a file first");
    ::unlink(name.c_str());
}

TEST_CASE("a wrong option is told with its field before anything is opened", "[pcap_reader]") {
    CHECK(refusal({}) == "config_error: file = \"\": must name a capture file");
}

TEST_CASE("a filter that libpcap refuses is told with the reason", "[pcap_reader]") {
    const temporary_file raw(capture_file({}, 101));
    CHECK(refusal({.file = raw.name(), .filter = "udp prot 7148"})
              .find("config_error: filter = udp prot 7148: must be a filter of pcap-filter(7): ") == 0);
    CHECK(refusal({.file = raw.name(), .filter = "vlan 42"}).find("no VLAN support") != std::string::npos);
    CHECK(refusal({.file = raw.name(), .filter = "udp port 7148"}) == "read");
}

TEST_CASE("a full ring loses nothing of a capture", "[pcap_reader]") {
    std::vector<wire_capture> frames;
    for (std::uint64_t cnt = 1; cnt <= 1000; ++cnt) frames.push_back({.frame = frame_of(cnt)});
    const temporary_file file(capture_file(frames));

    ring_stream ring(thread_pool{}, {.heaps = 2});
    ring.add_reader(pcap_reader_config{.file = file.name()});
    std::uint64_t expected = 0;
    bool in_order = true;
    for (const heap_ref& heap : ring) in_order = in_order && heap->cnt() == ++expected;
    CHECK(in_order);
    CHECK(expected == 1000);
    CHECK(ring.stats().account.delivered_complete == 1000);
}

TEST_CASE("a capture of which nothing matches can be stopped between batches", "[pcap_reader]") {
    std::vector<wire_capture> frames(5000, {.frame = frame_of(1)});
    const temporary_file file(capture_file(frames));
    boost::asio::io_context context;
    stream receiver(context, [](const heap_ref&) {});
    receiver.add_reader(pcap_reader_config{.file = file.name(), .filter = "udp port 1"});
    for (int handlers = 0; handlers < 5; ++handlers) REQUIRE(context.run_one() == 1);
    CHECK_FALSE(receiver.reason().stopped());
    receiver.stop();
    CHECK(receiver.reason().what == stop_reason::kind::user_stop);
    context.run();
    CHECK(receiver.wait_released(steady_clock::now() + 5s));
}

TEST_CASE("at recorded speed datagrams come as far apart as they were", "[pcap_reader]") {
    const temporary_file file(capture_file({{.frame = frame_of(1), .time = epoch},
                                            {.frame = frame_of(2), .time = epoch + 40ms},
                                            {.frame = frame_of(3), .time = epoch + 20ms},  // out of order: due at once
                                            {.frame = frame_of(4), .time = epoch + 80ms}}));
    std::vector<steady_clock::time_point> times;
    boost::asio::io_context context;
    stream receiver(context, [&](const heap_ref&) { times.push_back(steady_clock::now()); });
    receiver.add_reader(pcap_reader_config{.file = file.name(), .recorded_speed = true});
    context.run();
    REQUIRE(times.size() == 4);
    CHECK(times[1] - times[0] >= 39ms);
    CHECK(times[3] - times[0] >= 79ms);
}

TEST_CASE("a stop ends the wait for a datagram that is an hour away", "[pcap_reader]") {
    const temporary_file file(
        capture_file({{.frame = frame_of(1), .time = epoch}, {.frame = frame_of(2), .time = epoch + 1h}}));
    boost::asio::io_context context;
    std::vector<std::uint64_t> cnts;
    stream receiver(context, [&](const heap_ref& heap) { cnts.push_back(heap->cnt()); });
    receiver.add_reader(pcap_reader_config{.file = file.name(), .recorded_speed = true});
    REQUIRE(context.run_one_for(10s) == 1);
    CHECK(cnts == std::vector<std::uint64_t>{1});
    receiver.stop();
    context.run_for(10s);
    CHECK(context.stopped());  // it has nothing left to wait for
    CHECK(receiver.wait_released(steady_clock::now()));
}
