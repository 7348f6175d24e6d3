// SPDX-License-Identifier: BSD-3-Clause
// Processes on a wire, and what becomes of it when they are killed.
#include "child.hpp"
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

using namespace nic_test;

namespace {

constexpr std::size_t slot_bytes = 2048;
constexpr std::uint32_t slots = 4096;

/// Sends `number` frames as fast as the wire takes them; each carries its number. 0: until it is killed.
void send_frames(std::uint64_t number, std::uint8_t fill) {
    device nic;
    queue sender(nic, {.completions = 1024, .requests = 512});
    sender.bring_to(IBV_QPS_RTS);
    memory buffers(nic, 512 * slot_bytes);
    const bytes frame = udp_frame({.payload = 1000, .fill = fill});
    std::uint64_t done = 0;
    const auto take = [&] { done += sender.completions(1).size(); };
    for (std::uint64_t i = 0; i < number || number == 0; ++i) {
        const std::size_t at = i % 512 * slot_bytes;
        while (i - done >= 512) take();
        std::copy(frame.begin(), frame.end(), buffers.data.begin() + static_cast<std::ptrdiff_t>(at));
        if (sender.post_send(i, {buffers.entry(at, frame.size())}) != 0) throw std::runtime_error("ibv_post_send");
    }
    while (done < number) take();
}

/// Receives until the parent speaks, then says how many frames came, and how many of them were damaged.
void receive_frames(const child::parent& parent) {
    device nic;
    queue receiver(nic, {.completions = 2 * slots, .requests = slots});
    receiver.bring_to(IBV_QPS_RTR);
    memory buffers(nic, slots * slot_bytes);
    receiver.post_receives(buffers, slots, slot_bytes);
    const auto flow = group_rule().create(receiver);
    if (!flow) throw std::runtime_error("ibv_create_flow");
    parent.say("ready");
    std::atomic<bool> stop{false};
    std::thread listening([&] {
        parent.hear();
        stop = true;
    });
    std::uint64_t received = 0;
    std::uint64_t damaged = 0;
    for (bool last = false; !last;) {
        const bool stopping = stop;
        const auto done = receiver.completions(64, std::chrono::milliseconds(stopping ? 300 : 5));
        last = stopping && done.empty();
        for (const ibv_wc& each : done) {
            ++received;
            if (each.status != IBV_WC_SUCCESS || (each.wc_flags & IBV_WC_IP_CSUM_OK) == 0) ++damaged;
            receiver.post_receive(each.wr_id, {buffers.entry(each.wr_id * slot_bytes, slot_bytes)});
        }
    }
    listening.join();
    parent.say(std::to_string(received) + " " + std::to_string(damaged));
}

struct counted {
    std::uint64_t received = 0;
    std::uint64_t damaged = 0;
};

counted finish(child& receiver) {
    receiver.say("stop");
    const std::string line = receiver.hear();
    counted result;
    result.received = std::stoull(line);
    result.damaged = std::stoull(line.substr(line.find(' ') + 1));
    REQUIRE(receiver.wait() == 0);
    return result;
}

/// A wire of this test, with a folder for the truth.
struct wire {
    child::environment variables() const {
        return {{"VERBCAST_SOFTNIC_DEVICES", "softnic0=wire:" + name},
                {"VERBCAST_SOFTNIC_TRUTH", folder.path()},
                {"VERBCAST_SOFTNIC_RUNTIME", folder.path() + "/runtime"}};
    }
    std::unique_ptr<child> receiver() const {
        auto made = std::make_unique<child>(variables(), receive_frames);
        REQUIRE(made->hear() == "ready");
        return made;
    }
    std::unique_ptr<child> sender(std::uint64_t number, std::uint8_t fill = 1) const {
        return std::make_unique<child>(variables(), [=](const child::parent&) { send_frames(number, fill); });
    }
    std::string truth(pid_t process) const {
        return read_file(folder.path() + "/" + std::to_string(process) + ".json");
    }

    temporary_folder folder;
    std::string name = "t" + std::to_string(::getpid());
};

bool is_left(const std::string& wire_name) {
    return read_file("/proc/net/unix").find("/" + wire_name + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("every frame of every sender is offered to every receiver, and the account of each is exact") {
    const wire cable;
    constexpr std::uint64_t number = 20000;
    auto first = cable.receiver();
    auto second = cable.receiver();
    auto one = cable.sender(number, 1);
    auto other = cable.sender(number, 2);
    REQUIRE(one->wait() == 0);
    REQUIRE(other->wait() == 0);
    for (child* receiver : {first.get(), second.get()}) {
        const pid_t id = receiver->id();
        const counted seen = finish(*receiver);
        const std::string truth = cable.truth(id);
        CHECK(seen.damaged == 0);
        CHECK(truth_of(truth, "offered") == 2 * number);
        CHECK(truth_of(truth, "delivered") == seen.received);
        CHECK(truth_of(truth, "delivered") + truth_of(truth, "no_buffer") + truth_of(truth, "cable") == 2 * number);
    }
}

TEST_CASE("devices of one process hear one another on one wire, and not across wires") {
    const std::string wires = std::to_string(::getpid());
    child process(
        {{"VERBCAST_SOFTNIC_DEVICES", "one=wire:a" + wires + ";two=wire:a" + wires + ";other=wire:b" + wires}},
        [](const child::parent& parent) {
            device one("one");
            device two("two");
            device other("other");
            queue sender(one);
            queue hearing(two);
            queue deaf(other);
            memory outgoing(one, 4096);
            const memory two_buffers(two, 4096);
            const memory other_buffers(other, 4096);
            const bytes frame = udp_frame();
            std::copy(frame.begin(), frame.end(), outgoing.data.begin());
            sender.bring_to(IBV_QPS_RTS);
            hearing.bring_to(IBV_QPS_RTR);
            deaf.bring_to(IBV_QPS_RTR);
            hearing.post_receives(two_buffers, 1, 4096);
            deaf.post_receives(other_buffers, 1, 4096);
            const auto rule = group_rule().create(hearing);
            const auto other_rule = group_rule().create(deaf);
            sender.post_send(0, {outgoing.entry(0, frame.size())});
            const std::size_t heard = hearing.completions(1).size();
            parent.say(std::to_string(heard) + (deaf.stays_empty() ? " alone" : " both"));
        });
    CHECK(process.hear() == "1 alone");
    CHECK(process.wait() == 0);
}

TEST_CASE("a receiver that is killed does not hold up the others") {
    const wire cable;
    constexpr std::uint64_t number = 60000;
    auto survivor = cable.receiver();
    auto victim = cable.receiver();
    auto sender = cable.sender(number);
    victim->signal(SIGKILL);
    REQUIRE(sender->wait() == 0);
    const pid_t id = survivor->id();
    CHECK(finish(*survivor).damaged == 0);
    CHECK(truth_of(cable.truth(id), "offered") == number);
}

TEST_CASE("a sender that is killed in the middle leaves whole frames, and others go on") {
    const wire cable;
    constexpr std::uint64_t number = 20000;
    auto receiver = cable.receiver();
    for (int round = 0; round < 5; ++round) {
        auto victim = cable.sender(0, 1);
        ::usleep(20'000 + 7'000 * static_cast<unsigned>(round));  // in the middle is where nothing tells of it
        victim->signal(SIGKILL);
        victim->wait();
    }
    auto sender = cable.sender(number, 2);
    REQUIRE(sender->wait() == 0);
    const pid_t id = receiver->id();
    const counted seen = finish(*receiver);
    CHECK(seen.damaged == 0);
    CHECK(truth_of(cable.truth(id), "offered") >= number);
    CHECK(truth_of(cable.truth(id), "delivered") == seen.received);
}

TEST_CASE("a process that joins after the first has been killed finds the others") {
    const wire cable;
    constexpr std::uint64_t number = 1000;
    auto first = cable.receiver();
    auto second = cable.receiver();
    first->signal(SIGKILL);
    first->wait();
    auto sender = cable.sender(number);
    REQUIRE(sender->wait() == 0);
    const pid_t id = second->id();
    finish(*second);
    CHECK(truth_of(cable.truth(id), "offered") == number);
}

TEST_CASE("nothing of a wire is left when its last process has been killed, nor of its files when another has run") {
    const wire cable;
    auto last = cable.receiver();
    CHECK(is_left(cable.name));
    const std::string files = cable.folder.path() + "/runtime/" + std::to_string(last->id());
    CHECK(std::filesystem::exists(files));
    last->signal(SIGKILL);
    last->wait();
    CHECK_FALSE(is_left(cable.name));
    child next(cable.variables(), [](const child::parent&) { const device nic; });
    REQUIRE(next.wait() == 0);
    CHECK_FALSE(std::filesystem::exists(files));
}

TEST_CASE("a receiver that stands still is put aside, and what it missed is counted") {
    const wire cable;
    constexpr std::uint64_t number = 30000;  // far more than the wire holds
    auto steady = cable.receiver();
    auto stopped = cable.receiver();
    stopped->signal(SIGSTOP);
    auto sender = cable.sender(number);
    REQUIRE(sender->wait() == 0);
    stopped->signal(SIGCONT);
    const pid_t steady_id = steady->id();
    const pid_t stopped_id = stopped->id();
    finish(*steady);
    CHECK(finish(*stopped).damaged == 0);
    CHECK(truth_of(cable.truth(steady_id), "offered") == number);
    CHECK(truth_of(cable.truth(stopped_id), "offered") == number);
    CHECK(truth_of(cable.truth(stopped_id), "cable") > 0);
}
