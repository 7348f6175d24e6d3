// SPDX-License-Identifier: BSD-3-Clause
// How many frames of 1 KiB a second go from one process to another on the wire. Prints a line; judges nothing, since a
// busy machine says little. Usage: softnic_wire_rate [SECONDS]
#include "child.hpp"
#include "nic.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace nic_test;

namespace {

constexpr std::size_t frame_bytes = 1024;
constexpr std::uint32_t batch = 64;
constexpr std::uint32_t depth = 8192;

using clock_type = std::chrono::steady_clock;

void send_for(std::chrono::seconds time) {
    device nic;
    queue sender(nic, {.completions = 1024, .requests = 1024});
    sender.bring_to(IBV_QPS_RTS);
    memory buffers(nic, batch * frame_bytes);
    const bytes frame = udp_frame({.payload = frame_bytes - 42});
    std::array<ibv_sge, batch> entries;
    std::array<ibv_send_wr, batch> requests{};
    for (std::uint32_t i = 0; i < batch; ++i) {
        std::copy(frame.begin(), frame.end(), buffers.data.begin() + i * static_cast<std::ptrdiff_t>(frame_bytes));
        entries[i] = buffers.entry(i * frame_bytes, frame_bytes);
        requests[i].sg_list = &entries[i];
        requests[i].num_sge = 1;
        requests[i].opcode = IBV_WR_SEND;
        requests[i].next = i + 1 < batch ? &requests[i + 1] : nullptr;
    }
    requests.back().send_flags = IBV_SEND_SIGNALED;
    std::uint32_t outstanding = 0;
    for (const auto until = clock_type::now() + time; clock_type::now() < until;) {
        ibv_send_wr* bad = nullptr;
        if (ibv_post_send(sender.pair.get(), requests.data(), &bad) != 0) throw std::runtime_error("ibv_post_send");
        for (++outstanding; outstanding >= 1024 / batch;) {
            ibv_wc done{};
            if (ibv_poll_cq(sender.cq.get(), 1, &done) == 1) --outstanding;
        }
    }
    while (outstanding > 0) outstanding -= static_cast<std::uint32_t>(sender.completions(1).size());
}

void receive(const child::parent& parent) {
    device nic;
    queue receiver(nic, {.completions = 2 * depth, .requests = depth});
    receiver.bring_to(IBV_QPS_RTR);
    memory buffers(nic, depth * 2048);
    receiver.post_receives(buffers, depth, 2048);
    const auto flow = group_rule().create(receiver);
    parent.say("ready");
    std::atomic<bool> stop{false};
    std::thread listening([&] {
        parent.hear();
        stop = true;
    });
    std::array<ibv_wc, batch> done;
    std::array<ibv_sge, batch> entries;
    std::array<ibv_recv_wr, batch> requests{};
    std::uint64_t received = 0;
    while (!stop) {
        const int polled = ibv_poll_cq(receiver.cq.get(), batch, done.data());
        if (polled <= 0) continue;
        const auto number = static_cast<std::uint32_t>(polled);
        for (std::uint32_t i = 0; i < number; ++i) {
            entries[i] = buffers.entry(done[i].wr_id * 2048, 2048);
            requests[i] = {.wr_id = done[i].wr_id,
                           .next = i + 1 < number ? &requests[i + 1] : nullptr,
                           .sg_list = &entries[i],
                           .num_sge = 1};
        }
        ibv_recv_wr* bad = nullptr;
        if (ibv_post_recv(receiver.pair.get(), requests.data(), &bad) != 0) throw std::runtime_error("ibv_post_recv");
        received += number;
    }
    listening.join();
    parent.say(std::to_string(received));
}

}  // namespace

int main(int argc, char** argv) {
    const std::chrono::seconds time(argc > 1 ? std::atoi(argv[1]) : 3);
    const temporary_folder folder;
    const child::environment variables{{"VERBCAST_SOFTNIC_DEVICES", "softnic0=wire:rate" + std::to_string(::getpid())},
                                       {"VERBCAST_SOFTNIC_TRUTH", folder.path()}};
    child receiver(variables, receive);
    receiver.hear();
    const auto start = clock_type::now();
    child sender(variables, [&](const child::parent&) { send_for(time); });
    const int code = sender.wait();
    const std::chrono::duration<double> took = clock_type::now() - start;
    receiver.say("stop");
    const double received = std::stod(receiver.hear());
    const std::string truth_file = folder.path() + "/" + std::to_string(receiver.id()) + ".json";
    receiver.wait();
    const auto offered = static_cast<double>(truth_of(read_file(truth_file), "offered"));
    std::printf("%zu-byte frames: %.2f million/s sent and offered, %.2f million/s received\n", frame_bytes,
                offered / took.count() / 1e6, received / took.count() / 1e6);
    return code;
}
