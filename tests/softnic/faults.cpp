// SPDX-License-Identifier: BSD-3-Clause
// Scripts of faults, and the truth about them. Each run is a process, since a script is read once.
#include "child.hpp"
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <sstream>
#include <thread>

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

/// A queue pair that is ready and hears what it sends.
struct echo {
    static constexpr std::size_t slot = 256;
    static constexpr std::size_t slots = 4096;

    echo() : both(nic, {.completions = 16384, .requests = slots}), buffers(nic, slot * (slots + 1)) {
        both.bring_to(IBV_QPS_RTS);
        both.post_receives(buffers, slots, slot);
        flow = group_rule().create(both);
    }
    void send(std::uint64_t fill) {
        const bytes frame = udp_frame({.fill = static_cast<std::uint8_t>(fill)});
        std::copy(frame.begin(), frame.end(), buffers.data.begin() + slots * slot);
        const int error = both.post_send(fill, {buffers.entry(slots * slot, frame.size())}, 0);
        if (error != 0) throw std::system_error(error, std::generic_category(), "post_send");
    }
    ibv_event_type event() const {
        ibv_async_event taken{};
        if (ibv_get_async_event(nic.context.get(), &taken) != 0) throw std::runtime_error("ibv_get_async_event");
        ibv_ack_async_event(&taken);
        return taken.event_type;
    }
    ibv_port_state port() const {
        ibv_port_attr attributes{};
        if (ibv_query_port(nic.context.get(), 1, &attributes) != 0) throw std::runtime_error("ibv_query_port");
        return attributes.state;
    }
    /// The fills of what has arrived.
    std::string arrived() const {
        std::ostringstream said;
        for (std::uint64_t i = 0; i < 40; ++i) {
            const std::byte fill = buffers.data[i * slot + 60];
            if (fill != std::byte{0}) said << std::to_integer<int>(fill) << ' ';
        }
        return said.str() + ".";
    }

    device nic;
    queue both;
    memory buffers;
    handle<ibv_flow> flow;
};

/// Sends frames with payloads filled with 1, 2, .. to itself, and says the fill of each that arrives.
std::string send_to_self(std::uint64_t number, std::chrono::milliseconds pause = {}) {
    echo nic;
    for (std::uint64_t i = 1; i <= number; ++i) {
        nic.send(i);
        if (pause.count() != 0) std::this_thread::sleep_for(pause);
    }
    nic.both.completions(1 << 20, std::chrono::milliseconds(300));
    return nic.arrived();
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

TEST_CASE("the truth is the same whoever sends, and however slowly") {
    const auto run = [](std::chrono::microseconds pause) {
        const std::string script = "seed 5\nframe drop rate=0.2\nframe repeat every=7 times=2\n"
                                   "frame corrupt rate=0.1\nframe reorder rate=0.1 by=3";
        return run_with(script, [pause] {
            echo nic;
            std::deque<queue> senders;
            for (int i = 0; i < 2; ++i) senders.emplace_back(nic.nic).bring_to(IBV_QPS_RTS);
            std::vector<std::thread> threads;
            for (queue& sender : senders) {
                threads.emplace_back([&] {
                    memory buffers(nic.nic, 4096);
                    const bytes frame = udp_frame();
                    std::copy(frame.begin(), frame.end(), buffers.data.begin());
                    for (std::uint64_t i = 0; i < 500; ++i) {
                        sender.post_send(i, {buffers.entry(0, frame.size())});
                        sender.completions(1);
                        if (pause.count() != 0) std::this_thread::sleep_for(pause);
                    }
                });
            }
            for (std::thread& each : threads) each.join();
            nic.both.completions(1 << 20, std::chrono::milliseconds(300));
            return std::string("done");
        });
    };
    const outcome fast = run({});
    CHECK(fast.truth == run(std::chrono::microseconds(50)).truth);
    CHECK(truth_of(fast.truth, "offered") == 1000);
    CHECK(truth_of(fast.truth, "reordered") > 50);
}

TEST_CASE("a chosen frame is dropped, and those around it are not") {
    const outcome seen = run_with("frame drop frame=2", [] { return send_to_self(4); });
    CHECK(seen.said == "1 3 4 .");
    CHECK(seen.truth.find("failed_calls") == std::string::npos);
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
    CHECK(seen.truth.find("\"failed_calls\":{\"ibv_post_recv\":1,\"ibv_reg_mr\":1}") != std::string::npos);
}

TEST_CASE("what overtakes a frame does not depend on when it is sent") {
    const auto slowly = [] { return send_to_self(6, std::chrono::milliseconds(20)); };
    CHECK(run_with("frame reorder frame=2 by=3", slowly).said == "1 3 4 5 2 6 .");
}

TEST_CASE("extended sends and extended polls fail like the others") {
    const outcome seen = run_with("ibv_wr_start call=1 errno=12\nibv_start_poll call=1 errno=5", [] {
        device nic;
        queue both(nic, {.send_operations = IBV_QP_EX_WITH_SEND, .wc_flags = IBV_WC_STANDARD_FLAGS});
        both.bring_to(IBV_QPS_RTS);
        ibv_qp_ex* pair = ibv_qp_to_qp_ex(both.pair.get());
        std::ostringstream said;
        for (int i = 0; i < 2; ++i) {
            ibv_wr_start(pair);
            said << ibv_wr_complete(pair) << ' ';
        }
        ibv_poll_cq_attr none{};
        auto* cq = reinterpret_cast<ibv_cq_ex*>(both.cq.get());
        said << ibv_start_poll(cq, &none) << ' ' << ibv_start_poll(cq, &none);
        return said.str();
    });
    CHECK(seen.said == "12 0 5 2");
}

TEST_CASE("a queue pair breaks when the script says so: an event, and what was posted is flushed") {
    const outcome seen = run_with("frame queue_pair_fatal frame=2", [] {
        echo nic;
        nic.send(1);
        nic.both.completions(1);
        nic.send(2);
        const ibv_event_type event = nic.event();
        const auto done = nic.both.completions(echo::slots - 1);
        std::ostringstream said;
        said << ibv_event_type_str(event) << ", " << done.size() << ' ' << ibv_wc_status_str(done.at(0).status);
        return said.str();
    });
    CHECK(seen.said == "local work queue catastrophic error, 4095 Work Request Flushed Error");
    CHECK(truth_of(seen.truth, "not_receiving") == 1);
}

TEST_CASE("a completion queue breaks when the script says so: its event, its queue pair's, and no more polling") {
    const outcome seen = run_with("frame completion_queue_error frame=2", [] {
        echo nic;
        nic.send(1);
        nic.both.completions(1);
        nic.send(2);
        std::ostringstream said;
        for (int i = 0; i < 2; ++i) said << ibv_event_type_str(nic.event()) << ", ";
        ibv_wc done{};
        said << (ibv_poll_cq(nic.both.cq.get(), 1, &done) < 0) << (nic.both.state() == IBV_QPS_ERR);
        return said.str();
    });
    CHECK(seen.said == "CQ error, local work queue catastrophic error, 11");
}

TEST_CASE("a port goes down for as many frames as the script says, and then is active again") {
    const outcome seen = run_with("frame port_error frame=2 lasts=3", [] {
        echo nic;
        nic.send(1);
        nic.both.completions(1);
        nic.send(2);
        std::ostringstream said;
        said << ibv_event_type_str(nic.event()) << ", " << ibv_port_state_str(nic.port()) << ", ";
        nic.send(3);
        nic.send(4);
        said << ibv_event_type_str(nic.event()) << ", " << ibv_port_state_str(nic.port()) << ": ";
        nic.send(5);
        nic.both.completions(1);
        return said.str() + nic.arrived();
    });
    CHECK(seen.said == "port error, down, port active, active: 1 5 .");
    CHECK(truth_of(seen.truth, "fault") == 3);
    CHECK(truth_of(seen.truth, "offered") == 5);
}

TEST_CASE("after a device error no frame comes or goes, and everything but destroying fails with EIO") {
    const outcome seen = run_with("frame device_fatal frame=2", [] {
        echo nic;
        nic.send(1);
        nic.both.completions(1);
        nic.send(2);
        std::ostringstream said;
        said << ibv_event_type_str(nic.event()) << ", ";
        errno = 0;
        said << (ibv_alloc_pd(nic.nic.context.get()) == nullptr && errno == EIO) << ": ";
        nic.send(3);
        said << nic.both.completions(1, std::chrono::milliseconds(50)).size() << ' ';
        return said.str() + nic.arrived();
    });
    CHECK(seen.said == "local catastrophic error, 1: 0 1 .");
    CHECK(seen.code == 0);
    CHECK(truth_of(seen.truth, "sent") == 2);
    CHECK(truth_of(seen.truth, "fault") == 1);
}

TEST_CASE("what breaks at a frame can break at a call, and the call goes on or fails as the script says") {
    const outcome fatal = run_with("ibv_query_qp call=2 do=queue_pair_fatal", [] {
        echo nic;
        std::ostringstream said;
        said << nic.both.state() << nic.both.state() << ", " << ibv_event_type_str(nic.event());
        return said.str();
    });
    CHECK(fatal.said == "36, local work queue catastrophic error");
    const outcome gone = run_with("ibv_alloc_pd call=2 do=device_fatal", [] {
        echo nic;
        errno = 0;
        const bool refused = ibv_alloc_pd(nic.nic.context.get()) == nullptr && errno == EIO;
        return std::string(refused ? "refused, " : "") + ibv_event_type_str(nic.event());
    });
    CHECK(gone.said == "refused, local catastrophic error");
    const outcome down = run_with("ibv_query_pkey call=1 do=port_error lasts=2 errno=11", [] {
        echo nic;
        __be16 key = 0;
        errno = 0;
        std::ostringstream said;
        said << ibv_query_pkey(nic.nic.context.get(), 1, 0, &key) << ' ' << errno << ' ';
        for (std::uint64_t i = 1; i <= 3; ++i) nic.send(i);
        nic.both.completions(1);
        for (int i = 0; i < 2; ++i) said << ibv_event_type_str(nic.event()) << ", ";
        return said.str() + nic.arrived();
    });
    CHECK(down.said == "-1 11 port error, port active, 3 .");
}

TEST_CASE("a script that makes no sense leaves no device, and a message that names the rule and what is wrong") {
    const std::vector<std::pair<std::string, std::string>> nonsense{
        {"frame dorp rate=0.1", "there is no 'dorp' here; what can be done is drop, repeat"},
        {"frame", "what is to be done to the frame is missing"},
        {"frame drop", "which? give rate, frame, every, first or last"},
        {"frame drop rate=2", "rate is from 0 to 1, not '2'"},
        {"frame drop rate=often", "rate is from 0 to 1, not 'often'"},
        {"frame drop frame=0", "frame counts from 1"},
        {"frame drop frame=1.5", "frame is a whole number, not '1.5'"},
        {"frame drop frame=99999999999999999999", "frame is a whole number"},
        {"frame drop first=9 last=3", "first is behind last"},
        {"frame drop frame=1 times=2", "'times' means nothing to drop"},
        {"frame repeat frame=1 times=0", "times is from 1 to 1024, not 0"},
        {"frame drop sometimes=1", "'sometimes' means nothing to drop"},
        {"frame drop frame=1 device=mlx5_0", "there is no device 'mlx5_0'"},
        {"frame drop sometimes", "'sometimes' is not KEY=VALUE"},
        {"ibv_reg_mr call=1", "errno is missing, or do"},
        {"ibv_reg_mr errno=12", "which? give rate, call, every, first or last"},
        {"ibv_reg_mr call=1 errno=0", "errno is from 1 to 4095, not 0"},
        {"ibv_reg_mr call=1 do=drop", "there is no 'drop' here; what can be done is queue_pair_fatal"},
        {"ibv_regmr call=1 errno=1", "'ibv_regmr' is neither frame nor a verb that can be made to fail"},
        {"reg_mr call=1 errno=1", "'reg_mr' is neither frame nor a verb"},
        {"seed x", "seed is a whole number, not 'x'"},
        {"seed 1 2", "one seed"},
    };
    for (const auto& [script, message] : nonsense) {
        const outcome seen = run_with("# a comment\n" + script, [] {
            const temporary_folder folder;
            const std::string log = folder.path() + "/log";
            if (std::freopen(log.c_str(), "w", stderr) == nullptr) throw std::runtime_error("freopen");
            errno = 0;
            const bool refused = ibv_get_device_list(nullptr) == nullptr && errno == EINVAL;
            std::fflush(stderr);
            return std::string(refused ? "refused " : "taken ") + read_file(log);
        });
        INFO(script);
        CHECK(seen.said.find("refused softnic: fault script") == 0);
        CHECK(seen.said.find(message) != std::string::npos);
        if (script.find("seed") != 0) CHECK(seen.said.find("rule 1 '" + script + "'") != std::string::npos);
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
