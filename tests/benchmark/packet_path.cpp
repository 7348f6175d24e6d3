// SPDX-License-Identifier: BSD-3-Clause
/// What a packet costs on its way through a stream, beside the bare memcpy of the same payloads.
///
///     packet_path PAYLOAD_BYTES PACKETS ROUNDS [STAGE...]
///
/// Prints a line of JSON for each stage: nanoseconds of thread CPU time a packet, the median of ROUNDS rounds in which
/// all stages take turns. Under callgrind, name one stage: the instructions of two runs with different PACKETS differ
/// by those of the packets alone.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/packet.hpp>
#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

#include "support/packet_builder.hpp"

namespace {

using namespace verbcast;

constexpr std::size_t heap_bytes = 1 << 20;
constexpr std::size_t source_bytes = 16 << 20;  // as large as a NIC's ring of buffers: payloads come from memory
constexpr std::size_t batch_packets = 64;

/// Packets as a sender makes them, laid out one behind the other: heaps of one item of 1 MiB, six pointers a packet.
class traffic {
public:
    explicit traffic(std::size_t payload_bytes) {
        const std::size_t header_bytes = 8 + 6 * 8;
        const std::size_t heaps = std::max<std::size_t>(source_bytes / heap_bytes, 1);
        for (std::uint64_t cnt = 1; cnt <= heaps; ++cnt) {
            const test::wire_heap heap{.cnt = cnt,
                                       .values = {{0x1000, test::pattern(heap_bytes, cnt)}},
                                       .immediates = {test::immediate(0x1600, cnt)}};
            for (const test::bytes& each :
                 test::encode(heap.split({.packet_bytes_max = payload_bytes + header_bytes, .repeat_pointers = true})))
                add(each);
        }
        const std::byte* at = memory_.data();
        for (datagram& each : datagrams_) each.data = std::exchange(at, at + each.size);
    }

    const std::vector<datagram>& datagrams() const noexcept { return datagrams_; }

private:
    void add(const test::bytes& packet) {
        datagrams_.push_back({.size = static_cast<std::uint32_t>(packet.size())});  // where: once all are there
        memory_.insert(memory_.end(), packet.begin(), packet.end());
    }

    std::vector<std::byte> memory_;
    std::vector<datagram> datagrams_;
};

/// Calls `take(batch)` until `packets` packets were taken.
template <class Take>
void for_batches(const traffic& source, std::size_t packets, Take take) {
    const std::vector<datagram>& all = source.datagrams();
    std::size_t at = 0;
    while (packets > 0) {
        const std::size_t count = std::min({batch_packets, packets, all.size() - at});
        take(std::span(all).subspan(at, count));
        packets -= count;
        at = (at + count) % all.size();
    }
}

/// A reader that has everything already.
class feeder final : public reader {
public:
    feeder(const traffic& source, std::size_t packets) : source_(source), packets_(packets) {}

    std::string description() const override { return "benchmark"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context, stream_base::add_packet_handler& batch) override {
        for_batches(source_, packets_, [&](std::span<const datagram> some) { batch.add_packets(some); });
        batch.end_reader(*this, {.what = stop_reason::kind::readers_ended});
    }
    void stop() noexcept override {}

private:
    const traffic& source_;
    const std::size_t packets_;
};

void feed(const traffic& source, std::size_t packets, const stream_config& config) {
    boost::asio::io_context context;
    stream receiver(
        context, [](const heap_ref&) {}, config);
    receiver.add_reader(std::make_unique<feeder>(source, packets));
    context.run();
    if (receiver.stats().account.rejected.total() != 0) std::abort();
}

struct stage {
    std::string name;
    std::function<void(const traffic&, std::size_t)> run;
};

void bare_memcpy(const traffic& source, std::size_t packets) {
    static const auto heaps = std::make_unique<std::byte[]>(2 * heap_bytes);
    std::size_t at = 0;
    for_batches(source, packets, [&](std::span<const datagram> some) {
        for (const datagram& each : some) {
            const std::size_t bytes = each.size - 56;
            if (at + bytes > 2 * heap_bytes) at = 0;
            std::memcpy(heaps.get() + at, each.data + 56, bytes);
            at += bytes;
        }
    });
}

void decode_only(const traffic& source, std::size_t packets) {
    packet decoded;
    for_batches(source, packets, [&decoded](std::span<const datagram> some) {
        for (const datagram& each : some) {
            if (decode_datagram({each.data, each.size}, decoded)) std::abort();
        }
    });
}

const std::vector<stage> stages = {
    {"memcpy", bare_memcpy},
    {"decode", decode_only},
    {"reassembly",
     [](const traffic& source, std::size_t packets) {
         feed(source, packets, {.place_payload = [](const payload_placement&) {}});
     }},
    {"copy", [](const traffic& source, std::size_t packets) { feed(source, packets, {}); }},
};

double thread_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: packet_path PAYLOAD_BYTES PACKETS ROUNDS [STAGE...]\n");
        return 2;
    }
    const auto number = [argv](int i) { return static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)); };
    const traffic source(number(1));
    const std::size_t packets = number(2);
    std::vector<stage> chosen;
    for (const stage& each : stages)
        if (argc == 4 || std::find(argv + 4, argv + argc, each.name) != argv + argc) chosen.push_back(each);

    std::vector<std::vector<double>> nanoseconds(chosen.size());
    for (std::size_t round = 0; round < number(3); ++round) {
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const double start = thread_seconds();
            chosen[i].run(source, packets);
            nanoseconds[i].push_back((thread_seconds() - start) * 1e9 / static_cast<double>(packets));
        }
    }
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        std::vector<double>& all = nanoseconds[i];
        std::sort(all.begin(), all.end());
        std::printf(
            "{\"stage\":\"%s\",\"payload_bytes\":%zu,\"packets\":%zu,\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f}\n",
            chosen[i].name.c_str(), number(1), packets, all[all.size() / 2], all.front(), all.back());
    }
}
