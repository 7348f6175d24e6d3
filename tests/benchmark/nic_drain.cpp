// SPDX-License-Identifier: BSD-3-Clause
// What a packet costs whoever drains a NIC's queue: the software NIC fills every posted receive and is then quiet, and
// the queue is drained on this thread, whose CPU time is taken. Run by tests/benchmark/run, on a wire.
//
//   nic_drain PAYLOAD_BYTES PACKETS ROUNDS MODE      MODE: poll, poll_copy, reader
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/readers.hpp>
#include <verbcast/stream.hpp>

#include "softnic/nic.hpp"
#include "support/nic_wire.hpp"

namespace {

using namespace verbcast;
using verbcast::test::bytes;

constexpr std::size_t header_bytes = 8 + 6 * 8;  // six item pointers
constexpr std::size_t heap_packets = 64;
constexpr std::size_t heaps_live = 4;  // whose memory a receiver writes to in turn
constexpr std::size_t frame_header_bytes = 42;

double thread_cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// `packets` frames of heaps of 64 packets, with all pointers in every packet.
std::vector<bytes> make_frames(std::size_t payload_bytes, std::size_t packets) {
    const std::size_t data_bytes = payload_bytes - header_bytes;
    std::vector<bytes> frames;
    for (std::size_t i = 0; i < packets; ++i) {
        const test::wire_packet packet{.heap_cnt = 1 + i / heap_packets,
                                       .heap_length = heap_packets * data_bytes,
                                       .payload_offset = i % heap_packets * data_bytes,
                                       .items = {test::addressed(0x1000, 0), test::immediate(0x1600, i / heap_packets)},
                                       .payload = test::pattern(data_bytes, i)};
        frames.push_back(test::wire_frame{.payload = packet.encode()}.encode());
    }
    return frames;
}

/// How many frames the NIC has delivered to this process, which it says with some delay.
std::uint64_t frames_delivered(const std::string& sysfs) {
    std::uint64_t frames = 0;
    std::ifstream(sysfs + "/ports/1/counters/port_rcv_packets") >> frames;
    return frames;
}

class receiver {
public:
    virtual ~receiver() = default;
    virtual void drain(std::size_t packets) = 0;
};

/// Polls and posts again, in batches; copies the payload away if that is wanted. What no receiver can do without.
class bare_receiver final : public receiver {
public:
    bare_receiver(std::size_t slot_bytes, std::size_t slots, bool copies)
        : slot_bytes_(slot_bytes),
          queue_(nic_,
                 {.completions = static_cast<int>(slots), .requests = static_cast<std::uint32_t>(slots), .entries = 1}),
          memory_(nic_, slots * slot_bytes), requests_(slots), entries_(slots),
          copy_(copies ? heaps_live * heap_packets * slot_bytes : 0) {
        queue_.bring_to(IBV_QPS_INIT);
        for (std::size_t i = 0; i < slots; ++i) {
            entries_[i] = memory_.entry(i * slot_bytes, slot_bytes);
            requests_[i] = {.wr_id = i, .next = nullptr, .sg_list = &entries_[i], .num_sge = 1};
            post(&requests_[i]);
        }
        queue_.modify(IBV_QPS_RTR);
        rule_ = nic_test::group_rule("239.255.88.1", 7148).create(queue_);
        if (!rule_) throw std::runtime_error("ibv_create_flow");
    }

    void drain(std::size_t packets) override;

private:
    void post(ibv_recv_wr* first) const {
        ibv_recv_wr* refused = nullptr;
        if (ibv_post_recv(queue_.pair.get(), first, &refused) != 0) throw std::runtime_error("ibv_post_recv");
    }

    std::size_t slot_bytes_;
    nic_test::device nic_;
    nic_test::queue queue_;
    nic_test::memory memory_;
    nic_test::handle<ibv_flow> rule_;
    std::vector<ibv_recv_wr> requests_;
    std::vector<ibv_sge> entries_;
    bytes copy_;
    std::size_t copied_ = 0;
};

__attribute__((noinline)) void bare_receiver::drain(std::size_t packets) {
    std::array<ibv_wc, 64> done;
    while (packets != 0) {
        const int count = ibv_poll_cq(queue_.cq.get(), static_cast<int>(done.size()), done.data());
        if (count < 0) throw std::runtime_error("ibv_poll_cq");
        if (count == 0) continue;
        for (int i = 0; i < count; ++i) {
            const ibv_wc& each = done[static_cast<std::size_t>(i)];
            if (!copy_.empty()) {
                const std::size_t size = each.byte_len - frame_header_bytes - header_bytes;
                if (copied_ + size > copy_.size()) copied_ = 0;
                std::memcpy(&copy_[copied_],
                            &memory_.data[each.wr_id * slot_bytes_ + frame_header_bytes + header_bytes], size);
                copied_ += size;
            }
            requests_[each.wr_id].next =
                i + 1 < count ? &requests_[done[static_cast<std::size_t>(i) + 1].wr_id] : nullptr;
        }
        post(&requests_[done[0].wr_id]);
        packets -= static_cast<std::size_t>(count);
    }
}

class verbcast_receiver final : public receiver {
public:
    verbcast_receiver(std::size_t payload_bytes, std::size_t slots) : stream_(context_, [](const heap_ref&) {}) {
        ibv_reader_config config{.groups = {{"239.255.88.1", 7148, {}}}, .interface = "lo"};
        config.packet_bytes_max = payload_bytes;
        config.buffer_bytes = slots * (payload_bytes + 256);
        config.timestamps = false;
        stream_.add_reader(config);
        while (stream_.stats().batches == 0) context_.run_one();
    }

    void drain(std::size_t packets) override;

private:
    boost::asio::io_context context_;
    stream stream_;
    std::uint64_t received_ = 0;
};

__attribute__((noinline)) void verbcast_receiver::drain(std::size_t packets) {
    received_ += packets;
    while (stream_.stats().account.received < received_) context_.run_one();
}

std::unique_ptr<receiver> make(const std::string& mode, std::size_t payload_bytes, std::size_t slots) {
    if (mode == "reader") return std::make_unique<verbcast_receiver>(payload_bytes, slots);
    if (mode != "poll" && mode != "poll_copy") throw std::invalid_argument(mode);
    return std::make_unique<bare_receiver>((payload_bytes + 128) / 64 * 64, slots, mode == "poll_copy");
}

/// No faster than the NIC takes them: a wire is not long enough for all.
void fill(test::nic_wire& wire, const std::vector<bytes>& frames, const std::string& sysfs) {
    std::uint64_t delivered = frames_delivered(sysfs);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        wire.send(frames[i]);
        ++delivered;
        if (i % 64 != 63 && i + 1 != frames.size()) continue;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (frames_delivered(sysfs) < delivered) {
            if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the wire has lost frames");
            std::this_thread::yield();
        }
    }
}

/// The median, in nanoseconds of this thread, of what a packet costs to drain.
double cost(const std::string& mode, std::size_t payload_bytes, std::size_t packets, std::size_t rounds) {
    const std::vector<bytes> frames = make_frames(payload_bytes, packets);
    test::nic_wire wire;
    const std::unique_ptr<receiver> drained = make(mode, payload_bytes, 2 * packets);
    const nic_test::device counted;
    const std::string sysfs = counted.context->device->ibdev_path;
    std::vector<double> costs;
    for (std::size_t round = 0; round < rounds; ++round) {
        fill(wire, frames, sysfs);
        const double before = thread_cpu_ns();
        drained->drain(packets);
        costs.push_back((thread_cpu_ns() - before) / static_cast<double>(packets));
    }
    std::sort(costs.begin(), costs.end());
    return costs[costs.size() / 2];
}

}  // namespace

int main(int count, char** words) try {
    if (count != 5) return 2;
    const std::size_t payload_bytes = std::stoul(words[1]);
    const double ns = cost(words[4], payload_bytes, std::stoul(words[2]), std::stoul(words[3]));
    std::printf("{\"mode\":\"%s\",\"payload\":%zu,\"ns\":%.1f}\n", words[4], payload_bytes, ns);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
