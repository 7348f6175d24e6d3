// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

/// Ethernet with two VLAN tags, IP with options or some extension headers, UDP.
constexpr std::size_t header_bytes_max = 14 + 8 + 74 + 8;
constexpr std::size_t line_bytes = 64;
constexpr std::chrono::milliseconds drain_limit{100};

std::size_t slot_bytes_for(std::size_t datagram_bytes_max) noexcept {
    return (datagram_bytes_max + header_bytes_max + line_bytes - 1) / line_bytes * line_bytes;
}

/// As many as the buffer has room for and the device can post.
std::size_t slots_for(const device& owner, const frame_queue_options& options) noexcept {
    const std::size_t wanted = options.buffer_bytes / slot_bytes_for(options.datagram_bytes_max);
    const std::size_t possible = std::min(owner.can().receives_max, owner.can().completions_max);
    return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(possible, 1));
}

}  // namespace

frame_queue::frame_queue(device owner, const frame_queue_options& options, std::span<const flow_match> matches)
    : device_(std::move(owner)), domain_(device_.make_domain()),
      memory_(device_, domain_.get(), slots_for(device_, options), slot_bytes_for(options.datagram_bytes_max)),
      completions_(device_, {.entries = memory_.slots(),
                             .events = options.events,
                             .vector = options.vector,
                             .timestamps = options.timestamps}),
      pair_(make_raw_receiver(device_, domain_.get(), completions_.get(), memory_.slots())), receives_(memory_),
      membership_({device_.interface().name, device_.interface().index}) {
    if (const int error = receives_.post_all(pair_.get())) throw_verbs_error(error, "ibv_post_recv", device_.name());
    posted_ = slots();
    if (const int error = to_ready_to_receive(pair_.get()))
        throw_verbs_error(error, "ibv_modify_qp(RTR)", device_.name());
    rules_.reserve(matches.size());
    for (const flow_match& each : matches) {
        sorter_.add(each);
        rules_.emplace_back(device_, pair_.get(), each, options.priority);
    }
    join(matches);
}

frame_queue::~frame_queue() {
    end_reception();
    const auto deadline = std::chrono::steady_clock::now() + drain_limit;
    while (posted_ != 0 && poll() >= 0 && std::chrono::steady_clock::now() < deadline) continue;
}

void frame_queue::join(std::span<const flow_match> matches) {
    for (const flow_match& each : matches)
        if (each.destination.is_multicast()) membership_.join({each.destination, each.source});
}

int frame_queue::poll() noexcept {
    const int count = completions_.poll(done_);
    done_count_ = static_cast<std::size_t>(std::max(count, 0));
    posted_ -= done_count_;
    return count;
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
    if (error == 0) error = to_init(pair_.get(), device_.port());
    if (error == 0) error = receives_.post_all(pair_.get());
    if (error == 0) posted_ = slots();
    return error == 0 ? to_ready_to_receive(pair_.get()) : error;
}

void frame_queue::end_reception() noexcept {
    membership_.leave();
    rules_.clear();
    // Refused when the device is gone; the destruction of the queue pair is what ends DMA.
    static_cast<void>(to_error(pair_.get()));
}

}  // namespace verbcast::verbs
