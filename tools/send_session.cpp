// SPDX-License-Identifier: BSD-3-Clause
#include "send_session.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "command.hpp"
#include "human_units.hpp"
#include "interface_name.hpp"
#include "json_output.hpp"
#include "packet_sender.hpp"
#include "raw_packet_sender.hpp"
#include "reader_choice.hpp"
#include "safe_text.hpp"

namespace verbcast::tools {
namespace {

using namespace std::chrono_literals;
using clock = rate_meter::clock;

/// Between stop heaps: far enough apart that one short loss does not take them all. A receiver of several groups stops
/// at the first stop heap it sees, in whichever group: so the last data gets this long to be taken.
constexpr auto stop_gap = 100ms;

/// 200 us of traffic: fewer system calls would make bursts that small receive buffers do not take.
constexpr double burst_seconds = 200e-6;
constexpr double burst_bytes_max = 1 << 20;

}  // namespace

send_session::send_session(const send_options& options)
    : options_(options), factory_({.kind = options.kind,
                                   .heap_bytes = options.heap_bytes,
                                   .groups = options.groups.size(),
                                   .verify = options.verify}),
      sender_(make_sender()), start_(clock::now()), meter_(start_),
      pacer_(options.gbps > 0 ? std::optional(options.gbps) : std::nullopt, start_), next_report_(start_ + 1s) {
    if (options.interleave > options.kind.address_max())
        throw usage_error(fmt::format("--interleave {} does not fit --flavour {}: its heaps would have equal cnts",
                                      options.interleave, options.kind.name()));
}

std::unique_ptr<packet_sink> send_session::make_sender() const {
    if (options_.how == transport::raw)
        return std::make_unique<raw_packet_sender>(raw_sender_config{
            .groups = parse_groups(options_.groups),
            .interface = options_.interface,
            .source = options_.source,
            .hops = static_cast<int>(options_.hops),
            .packet_bytes_max = packet_bytes(),
        });
    return std::make_unique<packet_sender>(packet_sender_config{
        .groups = parse_groups(options_.groups),
        .interface = options_.interface.empty() ? "" : find_interface(options_.interface),
        .source = options_.source,
        .hops = static_cast<int>(options_.hops),
        .gso = options_.gso,
    });
}

std::size_t send_session::packet_bytes() const noexcept {
    const auto is_ipv6 = [](const std::string& group) { return group.find('[') != std::string::npos; };
    const bool ipv6 = std::any_of(options_.groups.begin(), options_.groups.end(), is_ipv6);
    return options_.packet_bytes.value_or(ipv6 ? 1448 : 1472) / 8 * 8;  // as they are sent
}

std::uint64_t send_session::burst_bytes() const noexcept {
    if (options_.burst_bytes) return *options_.burst_bytes;
    if (options_.gbps <= 0) return static_cast<std::uint64_t>(burst_bytes_max);
    return static_cast<std::uint64_t>(std::min(options_.gbps * 1e9 / 8 * burst_seconds, burst_bytes_max));
}

int send_session::run() {
    sharpen_sleeps();
    announce();
    send_heaps();
    const auto ended = clock::now();
    screen_.clear();
    const traffic_rates rates = meter_.overall(counts(), ended);
    if (options_.stop) send_stop_heaps();
    return report(rates);
}

void send_session::announce() {
    if (!factory_.describes())
        say(fmt::format("heaps of flavour {} have no room for descriptors: none are sent", options_.kind.name()));
    for (std::size_t i = 0; i < options_.groups.size(); ++i) {
        const auto whole = sender_->unfragmented_bytes_max(i);
        if (!whole || packet_bytes() <= *whole) continue;
        say(fmt::format(
            "{}: packets of {} bytes are cut into fragments, since the interface takes {}; receivers that read a "
            "NIC's queues ignore fragments",
            options_.groups[i], packet_bytes(), *whole));
    }
}

bool send_session::wants_more_heaps() const {
    if (signal_.received()) return false;
    if (options_.heaps && heaps_started_ >= *options_.heaps) return false;
    return !options_.time || clock::now() - start_ < *options_.time;
}

void send_session::send_heaps() {
    while (!signal_.received()) {
        fill_burst();
        if (sender_->bytes_added() == bytes_flushed_) break;  // nothing is left to send
        send_burst();
        sleep_until(pacer_.due(), [this] { return signal_.received(); });
    }
}

/// Heaps under way send a packet each in turn; one that is done makes room for the next.
void send_session::fill_burst() {
    const std::uint64_t enough = bytes_flushed_ + burst_bytes();
    while (under_way_.size() < options_.interleave && wants_more_heaps()) under_way_.push_back(make_heap());
    while (!under_way_.empty() && sender_->bytes_added() < std::max(enough, bytes_flushed_ + 1)) {
        turn_ %= under_way_.size();
        heap_under_way& current = under_way_[turn_];
        current.encoder.next(packet_);
        sender_->add(current.group, packet_);
        if (!current.encoder.done()) {
            ++turn_;
            continue;
        }
        ++heaps_sent_;
        unsent_.push_back(std::move(current));
        if (wants_more_heaps())
            under_way_[turn_++] = make_heap();
        else
            under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(turn_));
    }
}

send_session::heap_under_way send_session::make_heap() {
    std::unique_ptr<std::vector<std::byte>> storage;
    if (idle_storage_.empty()) {
        storage = std::make_unique<std::vector<std::byte>>();
    } else {
        storage = std::move(idle_storage_.back());
        idle_storage_.pop_back();
    }
    const std::uint64_t index = heaps_started_++;
    outgoing_heap made = factory_.make(index, *storage);
    return {.group = factory_.group_of(index),
            .storage = std::move(storage),
            .encoder = heap_encoder(options_.kind, packet_bytes(), std::move(made))};
}

void send_session::send_burst() {
    sender_->flush();
    const auto now = clock::now();
    pacer_.sent(sender_->bytes_added() - bytes_flushed_, now);
    bytes_flushed_ = sender_->bytes_added();
    for (heap_under_way& each : unsent_) idle_storage_.push_back(std::move(each.storage));
    unsent_.clear();
    if (now >= next_report_) {
        report_rates(now);
        next_report_ += 1s;
    }
}

void send_session::send_stop_heaps() {
    const std::uint64_t cnt = factory_.cnt_of(heaps_started_);
    for (std::uint64_t sent = 0; sent < options_.stop_heaps; ++sent) {
        // Whoever interrupts wants the end, not the pause before it.
        if (sent > 0 || options_.groups.size() > 1)
            sleep_until(clock::now() + stop_gap, [this] { return signal_.received(); });
        for (std::size_t group = 0; group < options_.groups.size(); ++group) {
            heap_encoder encoder(options_.kind, packet_bytes(), stop_heap(options_.kind, cnt));
            encoder.next(packet_);
            sender_->add(group, packet_);
            sender_->flush();
        }
    }
}

traffic_counts send_session::counts() const noexcept {
    return {.packets = sender_->packets_added(), .heaps = heaps_sent_, .bytes = sender_->bytes_added()};
}

void send_session::report_rates(clock::time_point now) {
    const traffic_rates rates = meter_.since_last(counts(), now);
    if (options_.json)
        print_json({{"type", "rate"},
                    {"seconds", rates.seconds},
                    {"gbps", rates.gbps},
                    {"packets_per_second", rates.packets_per_second},
                    {"heaps_per_second", rates.heaps_per_second},
                    {"packets", sender_->packets_added()},
                    {"heaps", heaps_sent_}});
    const std::string text =
        fmt::format("{}  {:.2f} Gb/s  {} packets/s  {} heaps/s", human_time(rates.seconds), rates.gbps,
                    human_count(rates.packets_per_second), human_count(rates.heaps_per_second));
    if (screen_.interactive())
        screen_.refresh(text);
    else if (!options_.json)
        screen_.message(text);
}

int send_session::report(const traffic_rates& rates) {
    if (signal_.received()) say("interrupted");
    if (sender_->refused() != 0)
        say(fmt::format("a host said {} that nobody listens there: those packets were lost",
                        sender_->refused() == 1 ? "once" : grouped(sender_->refused()) + " times"));
    if (options_.gbps > 0 && rates.seconds >= 1 && rates.gbps < 0.98 * options_.gbps)
        say(fmt::format("{:.2f} Gb/s is less than the {} asked for: this host gives no more", rates.gbps,
                        options_.gbps));
    const traffic_counts sent = counts();
    if (options_.json)
        print_json({{"type", "final"},
                    {"packets", sent.packets},
                    {"heaps", sent.heaps},
                    {"bytes", sent.bytes},
                    {"seconds", rates.seconds},
                    {"gbps", rates.gbps}});
    else
        print_text(fmt::format("sent {} in {}, {} in {:.2f} s: {:.2f} Gb/s\n", counted(sent.heaps, "heap"),
                               counted(sent.packets, "packet"), human_bytes(sent.bytes), rates.seconds, rates.gbps));
    return exit_code::fine;
}

void send_session::say(const std::string& text) { screen_.message("verbcast send: " + safe_text(text)); }

}  // namespace verbcast::tools
