// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "verbs/datagram_queue_pair.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

/// Ethernet with two VLAN tags, IP with options or some extension headers, UDP.
constexpr std::size_t header_bytes_max = 14 + 8 + 74 + 8;
constexpr std::size_t line_bytes = 64;
constexpr std::chrono::milliseconds drain_limit{100};

std::size_t round_up(std::size_t bytes) noexcept { return (bytes + line_bytes - 1) / line_bytes * line_bytes; }

/// A datagram that is longer than its slot would break a datagram queue pair: there each has room for what the network
/// carries.
std::size_t slot_bytes_for(const device& owner, const frame_queue_options& options) {
    if (options.datagram_key) return round_up(owner.active_mtu_bytes() + route_header_bytes);
    return round_up(options.datagram_bytes_max + header_bytes_max);
}

/// As many as the buffer has room for and the device can post.
std::size_t slots_for(const device& owner, const frame_queue_options& options) {
    const std::size_t wanted = options.buffer_bytes / slot_bytes_for(owner, options);
    const std::size_t possible = std::min(owner.can().receives_max, owner.can().completions_max);
    return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(possible, 1));
}

queue_pair make_receiver(const device& owner, ibv_pd* domain, ibv_cq* completions, std::size_t receives,
                         const std::optional<std::uint32_t>& datagram_key) {
    if (datagram_key) return make_datagram_receiver(owner, domain, completions, receives, *datagram_key);
    return make_raw_receiver(owner, domain, completions, receives);
}

}  // namespace

frame_queue::frame_queue(device owner, const frame_queue_options& options, std::span<const flow_match> matches)
    : options_(options), rules_count_(matches.size()), device_(std::move(owner)), domain_(device_.make_domain()),
      memory_(device_, domain_.get(), slots_for(device_, options), slot_bytes_for(device_, options)),
      completions_(device_, {.entries = memory_.slots(),
                             .events = options.events,
                             .vector = options.vector,
                             .timestamps = options.timestamps}),
      pair_(make_receiver(device_, domain_.get(), completions_.get(), memory_.slots(), options.datagram_key)),
      receives_(memory_), attachments_(device_, pair_.get()),
      membership_({device_.interface().name, device_.interface().index}) {
    if (const int error = receives_.post_all(pair_.get())) throw_verbs_error(error, "ibv_post_recv", device_.name());
    posted_ = slots();
    if (const int error = to_ready_to_receive(pair_.get()))
        throw_verbs_error(error, "ibv_modify_qp(RTR)", device_.name());
    rules_.reserve(matches.size());
    for (const flow_match& each : matches) steer(each);
    for (const flow_match& each : matches)
        if (each.destination.is_multicast()) membership_.join({each.destination, each.source});
}

frame_queue::~frame_queue() {
    end_reception();
    const auto deadline = std::chrono::steady_clock::now() + drain_limit;
    while (posted_ != 0 && poll() >= 0 && std::chrono::steady_clock::now() < deadline) continue;
}

void frame_queue::steer(const flow_match& match) {
    if (options_.datagram_key) {
        datagrams_.add(match);
        attachments_.attach(match.destination);
    } else {
        sorter_.add(match);
        rules_.emplace_back(device_, pair_.get(), match, options_.priority);
    }
}

int frame_queue::poll() noexcept {
    const int count = completions_.poll(done_);
    done_count_ = static_cast<std::size_t>(std::max(count, 0));
    posted_ -= done_count_;
    if (options_.datagram_key) refuse_long_datagrams();
    return count;
}

/// Their slots have room for more than is wanted.
void frame_queue::refuse_long_datagrams() noexcept {
    for (completion& each : std::span(done_).first(done_count_))
        if (each.status == slot_status::received && each.bytes > options_.datagram_bytes_max + route_header_bytes)
            each.status = slot_status::too_long;
}

int frame_queue::recycle() noexcept {
    const int error = receives_.post_again(pair_.get(), done());
    if (error == 0) posted_ += done_count_;
    done_count_ = 0;
    return error;
}

int frame_queue::revive() noexcept {
    done_count_ = 0;
    int error = to_reset(pair_.get());
    if (error == 0)
        error = options_.datagram_key ? to_datagram_init(pair_.get(), device_.port(), *options_.datagram_key)
                                      : to_init(pair_.get(), device_.port());
    if (error == 0) error = receives_.post_all(pair_.get());
    if (error == 0) posted_ = slots();
    return error == 0 ? to_ready_to_receive(pair_.get()) : error;
}

void frame_queue::end_reception() noexcept {
    membership_.leave();
    rules_.clear();
    attachments_.detach();
    // Refused when the device is gone; the destruction of the queue pair is what ends DMA.
    static_cast<void>(to_error(pair_.get()));
}

}  // namespace verbcast::verbs
