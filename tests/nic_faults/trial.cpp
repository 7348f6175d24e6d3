// SPDX-License-Identifier: BSD-3-Clause
#include "nic_faults/trial.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>

#include "support/nic_wire.hpp"

namespace verbcast::nic_faults {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr auto patience = 20s;
constexpr std::uint64_t first_cnt = 1;

test::bytes heap_payload(const scenario& what, std::uint64_t cnt) {
    return test::pattern(what.payload_bytes * (1 + cnt % 4), cnt);
}

std::vector<test::bytes> packets_of(const scenario& what, std::uint64_t cnt) {
    const test::bytes payload = heap_payload(what, cnt);
    std::vector<test::bytes> packets;
    for (std::size_t at = 0; at < payload.size(); at += what.payload_bytes) {
        test::wire_packet packet{.heap_cnt = cnt,
                                 .heap_length = payload.size(),
                                 .payload_offset = at,
                                 .items = {test::addressed(0x1000, 0)}};
        packet.payload.assign(payload.begin() + static_cast<std::ptrdiff_t>(at),
                              payload.begin() + static_cast<std::ptrdiff_t>(at + what.payload_bytes));
        packets.push_back(packet.encode());
    }
    return packets;
}

bool has_data(int descriptor, std::chrono::milliseconds wait) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, static_cast<int>(wait.count())) > 0;
}

std::size_t open_files() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// One stream on the faulty NIC, from its first call to its account.
class trial {
public:
    trial(const scenario& what, int go, int done) : what_(what), go_(go), done_(done) {}

    void run(verdict& result) {
        receive();
        check_error(result);
        if (stats_) check_stats(result);
        if (leaks_descriptors()) complain(result, "each reader leaves descriptors");
    }
    const std::optional<stream_stats>& stats() const noexcept { return stats_; }
    const std::string& error() const noexcept { return error_; }

private:
    template <class Stream>
    void receive_with(Stream& receiving) {
        try {
            receiving.add_reader(what_.reader);
        } catch (const std::system_error& error) {
            error_ = error.what();
            return;
        }
        const auto deadline = steady_clock::now() + patience;
        run_until(receiving, deadline, [&] { return receiving.stats().batches > 0; });
        static_cast<void>(!::write(go_, "g", 1));
        bool all_sent = false;
        steady_clock::time_point quiet_since = steady_clock::now();
        std::uint64_t seen = 0;
        run_until(receiving, deadline, [&] {
            const std::uint64_t received = receiving.stats().account.received;
            if (received != std::exchange(seen, received)) quiet_since = steady_clock::now();
            if (what_.end != ending::stop_item && received >= what_.stop_after_packets) return true;
            all_sent = all_sent || has_data(done_, 0ms);
            return all_sent && steady_clock::now() - quiet_since > 20ms;
        });
        if (what_.end == ending::destroyed) return;
        receiving.stop();
        run_until(receiving, deadline, [&] { return receiving.wait_released(steady_clock::now()); });
        take_heaps(receiving);
        stats_ = receiving.stats();
        if (receiving.reason().failed()) error_ = receiving.reason().message;
    }

    template <class Stream, class Predicate>
    void run_until(Stream& receiving, steady_clock::time_point deadline, Predicate reached) {
        while (!reached() && !(receiving.reason().stopped() && released(receiving))) {
            if (steady_clock::now() > deadline) throw std::runtime_error("the trial hangs");
            context_.restart();
            context_.run_one_for(1ms);
            take_heaps(receiving);
        }
    }
    static bool released(auto& receiving) { return receiving.wait_released(steady_clock::now()); }

    void take_heaps(ring_stream& receiving) {
        while (const pop_result popped = receiving.try_pop()) check_heap(*popped.heap);
    }
    void take_heaps(stream&) {}

    void receive() {
        stream_config config{.heaps_live_max = 8, .out_of_order = what_.out_of_order};
        if (what_.ring) {
            ring_stream receiving(context_, {.stream = config, .heaps = 4, .when_full = full_policy::wait});
            receive_with(receiving);
        } else {
            stream receiving(
                context_, [this](const heap_ref& heap) { check_heap(*heap); }, config);
            receive_with(receiving);
        }
        context_.restart();
        context_.poll();  // what is left must not touch what is gone
    }

    /// The NIC opens some of its own when it is first used, when a sender appears and when it writes: those do not come
    /// again with each reader.
    bool leaks_descriptors() {
        open_and_close();
        for (int readers = 0; readers < 4; ++readers) {
            const std::size_t before = open_files();
            open_and_close();
            if (open_files() <= before) return false;
        }
        return true;
    }
    void open_and_close() {
        stream another(context_, [](const heap_ref&) {});
        try {
            another.add_reader(what_.reader);
        } catch (const std::system_error&) {
            return;  // the script went on
        }
    }

    void check_heap(const heap& each) {
        if (each.status() == heap_status::incomplete) return;
        const test::bytes expected = heap_payload(what_, each.cnt());
        if (!std::equal(each.payload().begin(), each.payload().end(), expected.begin(), expected.end())) ++wrong_heaps_;
    }

    static void complain(verdict& to, std::string what) { to.complaints.push_back(std::move(what)); }

    /// A failure is one that the script asked for, and says so.
    void check_error(verdict& result) const {
        if (error_.empty()) return;
        const auto named = [&](const std::string& fault) {
            const std::string kind = scenario::kind(fault);
            return error_.find(kind) != std::string::npos || is_breakage(kind) ||
                   // These fail as the verb that was called.
                   (kind == "ibv_create_cq_ex" && error_.find("ibv_create_cq") != std::string::npos) ||
                   (kind == "ibv_start_poll" && error_.find("ibv_poll_cq") != std::string::npos);
        };
        if (std::none_of(what_.faults.begin(), what_.faults.end(), named))
            complain(result, "an error that the script did not ask for: " + error_);
        if (error_.find("softnic0") == std::string::npos && error_.find("ibv_get_device_list") == std::string::npos)
            complain(result, "an error that names no device: " + error_);
    }
    static bool is_breakage(const std::string& kind) {
        return kind == "queue_pair_fatal" || kind == "completion_queue_error" || kind == "device_fatal";
    }

    void check_stats(verdict& result) const {
        if (!stats_->account.balanced()) complain(result, "the account does not balance");
        if (wrong_heaps_ != 0) complain(result, fmt::format("{} heaps have wrong bytes", wrong_heaps_));
    }

    const scenario& what_;
    const int go_;
    const int done_;
    boost::asio::io_context context_;
    std::optional<stream_stats> stats_;
    std::string error_;
    std::uint64_t wrong_heaps_ = 0;
};

json read_truth(const std::string& folder) {
    std::ifstream file(folder + "/" + std::to_string(::getpid()) + ".json");
    return json::parse(file, nullptr, false);
}

void hold_against(const json& device, const scenario& what, const stream_stats& stats, verdict& result) {
    // Its first queue pair is the trial's; those behind it only looked for descriptors that are left.
    const json& queue = device["queues"].front();
    const auto delivered = queue["delivered"].get<std::uint64_t>();
    const auto too_long = queue["length_error"].get<std::uint64_t>();
    const auto matched = queue["matched"].get<std::uint64_t>();
    const std::uint64_t received = stats.account.received;
    const auto complain = [&](std::string_view name, std::uint64_t ours, std::uint64_t truth) {
        result.complaints.push_back(fmt::format("{}: {} by the account, {} in truth", name, ours, truth));
    };
    // What lies in a completion queue that broke, or of a device that is gone, nobody can take any more.
    const bool some_are_out_of_reach = what.has("completion_queue_error") || what.has("device_fatal") ||
                                       what.has("ibv_poll_cq") || what.has("ibv_start_poll");
    const std::uint64_t arrived = delivered + too_long;
    if (some_are_out_of_reach ? received > arrived : received != arrived) complain("received", received, arrived);
    const std::uint64_t counted_long = stats.account.ignored[ignore_reason::too_long];
    if (counted_long > too_long) complain("too long", counted_long, too_long);
    if (stats.lost.nic && *stats.lost.nic > matched - received)
        complain("lost by the NIC", *stats.lost.nic, matched - received);
    const std::uint64_t damaged = stats.account.ignored[ignore_reason::bad_checksum];
    const auto corrupted = device["corrupted"].get<std::uint64_t>() + device["duplicated"].get<std::uint64_t>();
    if (damaged > corrupted) complain("damaged", damaged, corrupted);
}

void count_faults(const json& truth, const scenario& what, verdict& result) {
    const json failed = truth.value("failed_calls", json::object());  // there when the script names verbs
    for (const auto& [verb, calls] : failed.items()) result.occurred[verb] += calls.get<std::uint64_t>();
    const json& device = truth["devices"]["softnic0"];
    result.occurred["drop"] += device["lost"]["fault"].get<std::uint64_t>();
    result.occurred["repeat"] += device["duplicated"].get<std::uint64_t>();
    result.occurred["reorder"] += device["reordered"].get<std::uint64_t>();
    result.occurred["corrupt"] += device["corrupted"].get<std::uint64_t>();
    // The truth does not count these: they are met by the frame that the script names, if it came.
    const auto offered = device["offered"].get<std::uint64_t>();
    for (const std::string& fault : what.faults) {
        const std::size_t at = fault.find(" frame=");
        if (at == std::string::npos) continue;
        if (std::stoull(fault.substr(at + 7)) <= offered) ++result.occurred[scenario::kind(fault)];
    }
}

}  // namespace

void send(const scenario& what, int go, int done) {
    char byte = 0;
    if (::read(go, &byte, 1) != 1) return;  // the reader could not be opened
    test::nic_wire wire;
    for (std::uint64_t cnt = first_cnt; cnt < first_cnt + what.heaps; ++cnt)
        for (const test::bytes& packet : packets_of(what, cnt)) wire.send(test::wire_frame{.payload = packet}.encode());
    if (what.end == ending::stop_item)
        wire.send(test::wire_frame{.payload = test::stop_packet(first_cnt + what.heaps).encode()}.encode());
    static_cast<void>(!::write(done, "d", 1));
}

verdict receive(const scenario& what, int go, int done, const std::string& truth_folder) {
    verdict result;
    trial trying(what, go, done);
    try {
        trying.run(result);
    } catch (const std::exception& error) {
        result.complaints.emplace_back(error.what());
    }
    const json truth = read_truth(truth_folder);
    if (truth.is_discarded() || !truth["devices"].contains("softnic0")) {
        if (trying.stats()) result.complaints.emplace_back("the NIC left no truth");
        return result;
    }
    count_faults(truth, what, result);
    if (trying.stats()) hold_against(truth["devices"]["softnic0"], what, *trying.stats(), result);
    return result;
}

}  // namespace verbcast::nic_faults
