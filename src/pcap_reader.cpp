// SPDX-License-Identifier: BSD-3-Clause
#include "src/pcap_reader.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include <boost/system/system_error.hpp>

#include <verbcast/error.hpp>

#include "src/frame_reason.hpp"
#include "src/sync.hpp"

namespace verbcast {
namespace {

/// Then other handlers have their turn.
constexpr std::size_t batch_frames_max = 256;

}  // namespace

void pcap_reader_config::validate() const {
    if (file.empty()) throw config_error("file", "\"\"", "must name a capture file");
}

std::size_t capture_groups::destination_hash::operator()(const destination& of) const noexcept {
    const std::string_view bytes(reinterpret_cast<const char*>(of.address.bytes.data()), of.address.bytes.size());
    return std::hash<std::string_view>{}(bytes) ^ of.port;
}

std::uint32_t capture_groups::other(stream_base::add_packet_handler& batch) {
    if (!other_) other_ = batch.add_group("other");
    return *other_;
}

std::uint32_t capture_groups::find(const verbs::udp_frame& frame, stream_base::add_packet_handler& batch) {
    if (frame.destination_port == 0) return other(batch);
    const destination wanted{frame.destination, frame.destination_port};
    if (wanted == latest_) return latest_group_;
    auto place = known_.find(wanted);
    if (place == known_.end()) {
        if (known_.size() == names_max) return other(batch);
        place = known_.emplace(wanted, batch.add_group(to_string(wanted.address, wanted.port))).first;
    }
    latest_ = wanted;
    latest_group_ = place->second;
    return latest_group_;
}

pcap_reader::pcap_reader(boost::asio::io_context& context, const pcap_reader_config& config)
    : context_(context), config_(config),
      timer_(context), ended_{.what = stop_reason::kind::readers_ended, .message = "end of " + config.file} {}

void pcap_reader::start(handler_context context, stream_base::add_packet_handler& batch) {
    read(std::move(context), batch);
}

void pcap_reader::stop() noexcept {
    stopped_ = true;
    try {
        timer_.cancel();
    } catch (const boost::system::system_error&) {
        // Its wait then runs out, and its handler finds the stream stopped.
    }
}

void pcap_reader::read(handler_context context, stream_base::add_packet_handler& batch) {
    if (stopped_) return;
    const auto go_on = [this](handler_context next, stream_base::add_packet_handler& next_batch, auto&&...) {
        read(std::move(next), next_batch);
    };
    switch (read_some(batch)) {
    case progress::end: batch.end_reader(*this, std::move(ended_)); return;
    case progress::give_up: return;
    case progress::wait: timer_.async_wait(bind_handler(std::move(context), go_on)); return;
    case progress::go_on: break;
    }
    if (batch.must_pause())
        batch.pause(std::move(context), context_, go_on);
    else
        sync::post(context_, bind_handler(std::move(context), go_on));
}

pcap_reader::progress pcap_reader::read_some(stream_base::add_packet_handler& batch) {
    for (std::size_t frames = 0; frames < batch_frames_max; ++frames) {
        // Also between frames that are no packets: reading them takes as long.
        if (batch.stopping()) return progress::give_up;
        if (!next_ && !fetch(batch)) return progress::end;
        if (!next_) continue;
        if (config_.recorded_speed && !is_due()) return progress::wait;
        if (batch.add_packets({&*next_, 1}, clock_source::kernel) == 0) break;  // no room, or the stream stops
        next_.reset();
    }
    return progress::go_on;
}

/// False at the end of the file. What is not a datagram leaves next_ empty.
bool pcap_reader::fetch(stream_base::add_packet_handler& batch) {
    captured_frame frame;
    try {
        const capture_file::outcome what = file_->next(frame);
        if (what != capture_file::outcome::frame) return what == capture_file::outcome::filtered;
    } catch (const std::system_error&) {  // the file is damaged: what was read of it counts
        ended_ = stop_reason::from(std::current_exception());
        return false;
    }
    verbs::udp_frame found;
    const verbs::frame_kind kind =
        parse_frame(file_->link(), frame.bytes, frame.wire_bytes, verbs::checksum_check::skip, found);
    const std::uint32_t group = groups_.find(found, batch);
    if (kind == verbs::frame_kind::udp)
        next_ = {found.payload.data(), static_cast<std::uint32_t>(found.payload.size()), group, frame.time};
    else
        batch.ignore(group, reason_of(kind));
    return true;
}

/// Sets the timer when the datagram is not due yet.
bool pcap_reader::is_due() {
    if (!first_arrival_) {
        first_arrival_ = next_->arrival;
        first_added_ = std::chrono::steady_clock::now();
    }
    const time_point due = first_added_ + (next_->arrival - *first_arrival_);
    if (due <= now_) return true;
    now_ = std::chrono::steady_clock::now();
    if (due <= now_) return true;
    timer_.expires_at(due);
    return false;
}

bool stream_base::add_reader(const pcap_reader_config& config) {
    config.validate();
    return add_reader(std::make_unique<pcap_reader>(context(), config));
}

}  // namespace verbcast
