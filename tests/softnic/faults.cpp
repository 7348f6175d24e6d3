// SPDX-License-Identifier: BSD-3-Clause
// Scripts of faults, and the truth about them. Each run is a process, since a script is read once.
#include "child.hpp"
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

using namespace nic_test;

namespace {

struct outcome {
    std::string said;  ///< what the body said
    std::string truth;
    int code = 0;
};

outcome run_with(const std::string& script, const std::function<std::string()>& body, child::environment more = {}) {
    const temporary_folder folder;
    write_file(folder.path() + "/faults", script);
    more["VERBCAST_SOFTNIC_FAULTS"] = folder.path() + "/faults";
    more["VERBCAST_SOFTNIC_TRUTH"] = folder.path();
    more["VERBCAST_SOFTNIC_RUNTIME"] = folder.path() + "/runtime";
    child process(more, [&](const child::parent& parent) { parent.say(body()); });
    outcome result;
    const std::string truth_file = folder.path() + "/" + std::to_string(process.id()) + ".json";
    result.said = process.hear();
    result.code = process.wait();
    result.truth = read_file(truth_file);
    return result;
}

/// Sends frames with payloads filled with 1, 2, .. to itself, and says the fill of each that arrives.
std::string send_to_self(std::uint64_t number) {
    device nic;
    queue both(nic, {.completions = 16384, .requests = 4096});
    both.bring_to(IBV_QPS_RTS);
    constexpr std::size_t slot = 256;
    memory buffers(nic, slot * 4097);
    both.post_receives(buffers, 4096, slot);
    const auto flow = group_rule().create(both);
    for (std::uint64_t i = 1; i <= number; ++i) {
        const bytes frame = udp_frame({.fill = static_cast<std::uint8_t>(i)});
        std::copy(frame.begin(), frame.end(), buffers.data.begin() + 4096 * slot);
        if (both.post_send(i, {buffers.entry(4096 * slot, frame.size())}) != 0) throw std::runtime_error("post_send");
        std::size_t sent = 0;
        while (sent == 0) sent = both.completions(1).at(0).opcode == IBV_WC_SEND ? 1 : 0;
    }
    both.completions(1 << 20, std::chrono::milliseconds(200));
    std::ostringstream said;
    for (std::uint64_t i = 0; i < 40; ++i) {
        const std::byte fill = buffers.data[i * slot + 60];
        if (fill != std::byte{0}) said << std::to_integer<int>(fill) << ' ';
    }
    return said.str() + ".";
}

}  // namespace

TEST_CASE("the same seed gives the same truth, byte for byte, and another seed another") {
    const auto run = [](int seed) {
        return run_with("seed " + std::to_string(seed) + "\nframe drop rate=0.1\nframe repeat rate=0.05\n",
                        [] { return send_to_self(2000); })
            .truth;
    };
    const std::string first = run(1);
    CHECK(first == run(1));
    CHECK(first != run(2));
    CHECK(truth_of(first, "offered") == 2000);
    CHECK(truth_of(first, "fault") > 120);
    CHECK(truth_of(first, "fault") < 280);
    CHECK(truth_of(first, "delivered") ==
          truth_of(first, "offered") - truth_of(first, "fault") + truth_of(first, "duplicated"));
}

TEST_CASE("a chosen frame is dropped, and those around it are not") {
    const outcome seen = run_with("frame drop frame=2", [] { return send_to_self(4); });
    CHECK(seen.said == "1 3 4 .");
    CHECK(truth_of(seen.truth, "fault") == 1);
}

TEST_CASE("a frame is repeated as often as the script says") {
    const outcome seen = run_with("frame repeat frame=2 times=2", [] { return send_to_self(3); });
    CHECK(seen.said == "1 2 2 2 3 .");
    CHECK(truth_of(seen.truth, "duplicated") == 2);
}

TEST_CASE("a frame is overtaken by as many as the script says, and comes last when no more follow") {
    CHECK(run_with("frame reorder frame=2 by=2", [] { return send_to_self(6); }).said == "1 3 4 2 5 6 .");
    CHECK(run_with("frame reorder frame=3 by=9", [] { return send_to_self(3); }).said == "1 2 3 .");
}

TEST_CASE("a frame is corrupted in its payload") {
    const outcome seen = run_with("frame corrupt frame=1", [] {
        device nic;
        queue both(nic);
        both.bring_to(IBV_QPS_RTS);
        memory buffers(nic, 8192);
        const bytes frame = udp_frame();
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
        const auto flow = group_rule().create(both);
        both.post_receive(1, {buffers.entry(4096, 4096)});
        both.post_send(2, {buffers.entry(0, frame.size())}, 0);
        const auto done = both.completions(1);
        const bool headers_whole = std::equal(frame.begin(), frame.begin() + 42, buffers.data.begin() + 4096);
        const bool whole = std::equal(frame.begin(), frame.end(), buffers.data.begin() + 4096);
        const bool flagged = (done.at(0).wc_flags & IBV_WC_IP_CSUM_OK) != 0;
        return std::string(headers_whole ? "headers" : "") + (whole ? " payload" : "") + (flagged ? " flag" : "");
    });
    CHECK(seen.said == "headers");
    CHECK(truth_of(seen.truth, "corrupted") == 1);
}

TEST_CASE("a verb fails at the call that the script names, with its errno, and works before and after") {
    const outcome seen = run_with("ibv_reg_mr call=3 errno=12\nibv_post_recv call=1 errno=5", [] {
        device nic;
        bytes data(64);
        std::ostringstream said;
        for (int i = 0; i < 4; ++i) {
            errno = 0;
            const handle<ibv_mr> region(
                ibv_reg_mr(nic.domain.get(), data.data(), data.size(), int{IBV_ACCESS_LOCAL_WRITE}));
            said << (region ? 0 : errno) << ' ';
        }
        queue receiver(nic);
        receiver.bring_to(IBV_QPS_INIT);
        said << receiver.post_receive(1, {}) << ' ' << receiver.post_receive(1, {});
        return said.str();
    });
    CHECK(seen.said == "0 0 12 0 5 0");
}

TEST_CASE("a queue pair breaks when the script says so: an event, and what was posted is flushed") {
    const outcome seen = run_with("frame queue_pair_fatal frame=1", [] {
        device nic;
        queue both(nic);
        both.bring_to(IBV_QPS_RTS);
        memory buffers(nic, 8192);
        const bytes frame = udp_frame();
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
        const auto flow = group_rule().create(both);
        both.post_receive(1, {buffers.entry(4096, 4096)});
        both.post_send(2, {buffers.entry(0, frame.size())}, 0);
        ibv_async_event event{};
        ibv_get_async_event(nic.context.get(), &event);
        const bool fatal = event.event_type == IBV_EVENT_QP_FATAL && event.element.qp == both.pair.get();
        ibv_ack_async_event(&event);
        const auto done = both.completions(1);
        return std::string(fatal ? "fatal " : "") + ibv_wc_status_str(done.at(0).status);
    });
    CHECK(seen.said == "fatal Work Request Flushed Error");
    CHECK(truth_of(seen.truth, "not_receiving") == 1);
}

TEST_CASE("after a device error everything but destroying fails with EIO") {
    const outcome seen = run_with("frame device_fatal frame=1", [] {
        device nic;
        queue both(nic);
        both.bring_to(IBV_QPS_RTS);
        memory buffers(nic, 8192);
        const bytes frame = udp_frame();
        std::copy(frame.begin(), frame.end(), buffers.data.begin());
        const auto flow = group_rule().create(both);
        both.post_send(2, {buffers.entry(0, frame.size())}, 0);
        ibv_async_event event{};
        ibv_get_async_event(nic.context.get(), &event);
        ibv_ack_async_event(&event);
        errno = 0;
        const bool refused = ibv_alloc_pd(nic.context.get()) == nullptr && errno == EIO;
        return std::string(event.event_type == IBV_EVENT_DEVICE_FATAL ? "fatal" : "") + (refused ? " refused" : "");
    });
    CHECK(seen.said == "fatal refused");
    CHECK(seen.code == 0);
}

TEST_CASE("a script that makes no sense leaves no device, rather than a test without faults") {
    for (const char* script : {"frame dorp rate=0.1", "frame drop rate=2", "frame drop frame=0", "ibv_reg_mr call=1",
                               "frame drop sometimes=1", "seed x", "reg_mr call=1 errno=1"}) {
        const outcome seen = run_with(script, [] {
            errno = 0;
            return std::string(ibv_get_device_list(nullptr) == nullptr && errno == EINVAL ? "refused" : "taken");
        });
        CHECK(seen.said == "refused");
    }
}

TEST_CASE("strict: without CAP_NET_RAW a raw queue pair is EPERM, beyond RLIMIT_MEMLOCK a region is ENOMEM") {
    const auto as_nobody = [] {
        // Root has every capability; an ordinary user has none.
        if (::geteuid() == 0 && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)) {
            throw std::runtime_error("setresuid");
        }
        const rlimit small{64 << 10, 64 << 10};
        ::setrlimit(RLIMIT_MEMLOCK, &small);
        ::setenv("VERBCAST_SOFTNIC_RUNTIME", "", 1);
        ::setenv("VERBCAST_SOFTNIC_TRUTH", "", 1);
        ::setenv("VERBCAST_SOFTNIC_FAULTS", "", 1);
        device nic;
        std::ostringstream said;
        errno = 0;
        try {
            const queue raw(nic);
            said << "pair ";
        } catch (const std::system_error& error) {
            said << error.code().value() << ' ';
        }
        bytes data(1 << 20);
        errno = 0;
        const handle<ibv_mr> region(
            ibv_reg_mr(nic.domain.get(), data.data(), data.size(), int{IBV_ACCESS_LOCAL_WRITE}));
        said << (region ? "region" : std::to_string(errno));
        return said.str();
    };
    CHECK(run_with("", as_nobody, {{"VERBCAST_SOFTNIC_STRICT", "1"}}).said ==
          std::to_string(EPERM) + " " + std::to_string(ENOMEM));
    CHECK(run_with("", as_nobody).said == "pair region");
}
