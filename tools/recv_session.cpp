// SPDX-License-Identifier: BSD-3-Clause
#include "recv_session.hpp"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "command.hpp"
#include "human_units.hpp"
#include "interface_name.hpp"
#include "json_output.hpp"
#include "safe_text.hpp"
#include "text_output.hpp"

namespace verbcast::tools {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t bad_heaps_shown_max = 10;

traffic_counts counts_of(const stream_stats& stats) {
    return {.packets = stats.account.received, .heaps = stats.heaps, .bytes = stats.datagram_bytes};
}

std::string_view kind_name(stream_event::kind kind) {
    switch (kind) {
    case stream_event::kind::group_idle: return "group_idle";
    case stream_event::kind::group_resumed: return "group_resumed";
    case stream_event::kind::reader_ended: return "reader_ended";
    case stream_event::kind::warning: break;
    }
    return "warning";
}

std::optional<std::chrono::milliseconds> in_milliseconds(std::optional<std::chrono::nanoseconds> time) {
    if (!time) return std::nullopt;
    return std::chrono::ceil<std::chrono::milliseconds>(*time);
}

}  // namespace

recv_session::recv_session(const recv_options& options)
    : options_(options), loop_(handlers()), stream_(thread_pool(threads_of()), stream_config_of()) {}

thread_pool_config recv_session::threads_of() const {
    thread_pool_config config = options_.threads;
    if (config.place.how == placement::mode::none) return config;
    if (config.place.how == placement::mode::automatic && options_.interface.empty())
        throw usage_error("--placement auto is beside a NIC: name it with --interface");
    if (!options_.interface.empty()) config.place.interface = find_interface(options_.interface);
    return config;
}

ring_stream_config recv_session::stream_config_of() {
    ring_stream_config config = options_.ring;
    config.stream.heap_age_max = in_milliseconds(options_.heap_age);
    config.stream.idle_after = in_milliseconds(options_.idle_after);
    config.stream.on_event = [this](const stream_event& event) { loop_.post([this, event] { on_event(event); }); };
    return config;
}

heap_loop_handlers recv_session::handlers() {
    return {
        .heap = [this](const heap_ref& heap) { return take(*heap); },
        .tick = [this] { show_rates(); },
        .interval = 1000ms,
        .interrupted = [this] { end(end_cause::signal); },
        .time = options_.time,
        .time_over = [this] { end(end_cause::time); },
    };
}

int recv_session::run() {
    open();
    announce();
    meter_.emplace(rate_meter::clock::now());
    loop_.run(stream_.source());
    const auto ended = rate_meter::clock::now();
    screen_.clear();
    stream_.stop();
    if (!stream_.wait_released(ended + 10s))
        say("the groups were not left within 10 s: the account may lack late packets");
    return report();
}

void recv_session::open() {
    reader_configs configs = options_.readers;
    configs.udp.groups = configs.ibv.groups = parse_groups(options_.groups);
    configs.udp.interface = configs.ibv.interface = options_.interface;
    configs.udp.validate();
    if (!options_.save.empty()) saver_.emplace(options_.save);
    choice_ = add_reader(stream_, options_.reader, configs);
}

void recv_session::announce() {
    if (options_.json) {
        json groups = json::array();
        for (const std::string& each : options_.groups) groups.push_back(each);
        print_json({{"type", "ready"},
                    {"reader", choice_.name},
                    {"why", choice_.why},
                    {"groups", groups},
                    {"placement", placement_object(stream_.placed())}});
        return;
    }
    say(fmt::format("receiving {} through {} ({})", counted(options_.groups.size(), "group"),
                    choice_.name == "ibv" ? "a queue of the NIC" : "sockets of the kernel", choice_.why));
    if (options_.threads.place.how != placement::mode::none) say("placement: " + stream_.placed().text);
}

void recv_session::on_event(const stream_event& event) {
    if (options_.json) print_json({{"type", "event"}, {"event", kind_name(event.what)}, {"text", event.text}});
    say(event.text);
}

bool recv_session::take(const heap& each) {
    if (cause_ == end_cause::heaps || cause_ == end_cause::save_failed) return false;
    ++heaps_taken_;
    if (options_.verify) verify(each);
    if (saver_ && !save(each)) return false;
    if (options_.heaps && heaps_taken_ == *options_.heaps) {
        end(end_cause::heaps);
        return false;
    }
    return true;
}

void recv_session::verify(const heap& each) {
    const auto wrong = verifier_.check(each);
    if (!wrong || ++bad_heaps_shown_ > bad_heaps_shown_max) return;
    say(*wrong);
    if (bad_heaps_shown_ == bad_heaps_shown_max) say("further bad heaps are only counted");
}

bool recv_session::save(const heap& each) {
    try {
        saver_->save(each);
        return true;
    } catch (const std::system_error& error) {
        // The account of what came until then is still worth having.
        end(end_cause::save_failed);
        say(error.what());
        return false;
    }
}

void recv_session::end(end_cause cause) {
    if (cause_ == end_cause::stream) cause_ = cause;
    stream_.stop();
}

void recv_session::show_rates() {
    const stream_stats stats = stream_.stats();
    const traffic_rates rates = meter_->since_last(counts_of(stats), rate_meter::clock::now());
    const heap_source& source = stream_.source();
    if (options_.json)
        print_json({{"type", "rate"},
                    {"seconds", rates.seconds},
                    {"gbps", rates.gbps},
                    {"packets_per_second", rates.packets_per_second},
                    {"heaps_per_second", rates.heaps_per_second},
                    {"packets", stats.account.received},
                    {"heaps", stats.heaps},
                    {"losses", losses_text(stats)},
                    {"ring", {{"heaps", source.size()}, {"capacity", source.capacity()}}}});
    const std::string text =
        fmt::format("{}  {:.2f} Gb/s  {} packets/s  {} heaps/s  lost: {}  ring {}/{}", human_time(rates.seconds),
                    rates.gbps, human_count(rates.packets_per_second), human_count(rates.heaps_per_second),
                    losses_text(stats), source.size(), source.capacity());
    if (screen_.interactive())
        screen_.refresh(text);
    else if (!options_.json)
        screen_.message(text);
}

std::string recv_session::ending() const {
    switch (cause_) {
    case end_cause::heaps: return fmt::format("{} received, as asked", counted(heaps_taken_, "heap"));
    case end_cause::time: return "the time is over";
    case end_cause::signal: return "interrupted";
    case end_cause::save_failed: return "heaps can no longer be saved";
    case end_cause::stream: break;
    }
    return stream_.reason().message;
}

bool recv_session::failed(const stream_stats& stats) const {
    return stream_.reason().failed() || cause_ == end_cause::save_failed || verifier_.heaps_bad() != 0 ||
           (options_.fail_on_loss && has_losses(stats));
}

int recv_session::report() {
    const stream_stats stats = stream_.stats();
    const traffic_rates rates = meter_->overall(counts_of(stats), rate_meter::clock::now());
    say(ending());
    if (options_.json) {
        print_json({{"type", "final"},
                    {"reason", ending()},
                    {"seconds", rates.seconds},
                    {"stats", stats_object(stats)},
                    {"verify", {{"heaps_ok", verifier_.heaps_ok()}, {"heaps_bad", verifier_.heaps_bad()}}}});
    } else {
        print_text(account_text(stats));
        if (options_.verify)
            print_text(fmt::format("verified: {} as sent, {} not\n", counted(verifier_.heaps_ok(), "heap"),
                                   grouped(verifier_.heaps_bad())));
        if (saver_) print_text(fmt::format("saved: {} in {}\n", counted(saver_->heaps(), "heap"), options_.save));
    }
    explain_failures(stats);
    return failed(stats) ? exit_code::trouble : exit_code::fine;
}

void recv_session::explain_failures(const stream_stats& stats) {
    if (verifier_.heaps_bad() != 0) say(fmt::format("{} with wrong bytes", counted(verifier_.heaps_bad(), "heap")));
    if (options_.verify && verifier_.heaps_ok() + verifier_.heaps_bad() == 0) say("--verify had no heap to check");
    if (options_.fail_on_loss && has_losses(stats)) say("losses: " + losses_text(stats));
}

void recv_session::say(const std::string& text) { screen_.message("verbcast recv: " + safe_text(text)); }

}  // namespace verbcast::tools
