// SPDX-License-Identifier: BSD-3-Clause
#include "wire_cable.hpp"

#include "checksum.hpp"
#include "futex.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace softnic {
namespace {

using namespace wire_layout;
using std::chrono::steady_clock;

constexpr std::size_t batch_frames_max = 64;
constexpr std::chrono::milliseconds liveness_interval{1};

bool is_active(std::uint64_t listening) noexcept { return (listening & state_mask) == active; }
std::uint64_t with_state(std::uint64_t listening, enum listening state) noexcept {
    return (listening & ~std::uint64_t{state_mask}) | state;
}
std::uint64_t next_generation(std::uint64_t listening) noexcept { return listening + state_mask + 1; }

}  // namespace

wire_cable::wire_cable(const std::string& name)
    : memory_(wire_memory::join(name)), port_(memory_->claim_port()), ring_(memory_->ring(port_)),
      head_(own().head.load()), sequence_(own().frames.load()) {
    batch_.reserve(batch_frames_max);
}

wire_cable::~wire_cable() {
    deafen();
    memory_->give_back_port(port_);
}

// --- sending ---

std::size_t wire_cable::transmit(std::span<const outgoing_frame> frames) noexcept {
    std::size_t sent = 0;
    for (; sent < frames.size() && has_room(record_bytes(frames[sent].bytes)); ++sent) write_frame(frames[sent]);
    if (sent != 0) publish();
    return sent;
}

bool wire_cable::has_room(std::size_t bytes) noexcept {
    if (head_ + bytes <= limit_) return true;
    const wire_layout::header& shared = memory_->header();
    std::uint64_t slowest = head_;
    for (unsigned port = 0; port < shared.ports_used.load(std::memory_order_acquire); ++port) {
        if (!is_active(shared.ports[port].listening.load())) continue;
        slowest = std::min(slowest, own().read_by[port].position.load(std::memory_order_acquire));
    }
    limit_ = slowest + ring_bytes;
    return head_ + bytes <= limit_;
}

void wire_cable::write_frame(const outgoing_frame& frame) noexcept {
    std::byte* at = ring_ + head_ % ring_bytes;
    const std::uint16_t flags = frame.keep_from_self ? flag_keep_from_self : 0;
    const record written{frame.bytes, static_cast<std::uint16_t>(port_), flags, sequence_++};
    std::memcpy(at, &written, sizeof written);
    std::byte* data = at + sizeof written;
    for (std::uint32_t i = 0; i < frame.pieces_used; ++i) {
        std::memcpy(data, frame.pieces[i].iov_base, frame.pieces[i].iov_len);
        data += frame.pieces[i].iov_len;
    }
    if (frame.finish_checksums) finish_checksums({at + sizeof written, frame.bytes});
    head_ += record_bytes(frame.bytes);
}

void wire_cable::publish() noexcept {
    // Frames before bytes: killed in between, the count is too high by a batch and never too low.
    own().frames.store(sequence_, std::memory_order_relaxed);
    // Sequentially consistent against `sleepers`: either the listener sees the frames, or it is seen to sleep.
    own().head.store(head_);
    if (memory_->header().sleepers.load() != 0) ring_doorbells();
}

void wire_cable::ring_doorbells() noexcept {
    wire_layout::header& shared = memory_->header();
    std::uint64_t sleepers = shared.sleepers.exchange(0);
    for (; sleepers != 0; sleepers &= sleepers - 1) {
        std::atomic<std::uint32_t>& doorbell = shared.ports[static_cast<unsigned>(__builtin_ctzll(sleepers))].doorbell;
        doorbell.fetch_add(1);
        futex_wake(doorbell);
    }
}

void wire_cable::wait_for_room() noexcept {
    own().room_wanted.store(1);
    if (has_room(record_bytes(wire_layout::frame_bytes_max))) {
        own().room_wanted.store(0, std::memory_order_relaxed);
        return;
    }
    futex_wait(own().room_wanted, 1, liveness_interval);
    if (!has_room(record_bytes(wire_layout::frame_bytes_max))) put_aside_dead_and_stalled();
}

void wire_cable::put_aside_dead_and_stalled() noexcept {
    const wire_layout::header& shared = memory_->header();
    const steady_clock::time_point now = steady_clock::now();
    for (unsigned port = 0; port < shared.ports_used.load(std::memory_order_acquire); ++port) {
        const std::uint64_t listening = shared.ports[port].listening.load();
        const std::uint64_t position = own().read_by[port].position.load();
        watched& seen = watched_[port];
        if (!is_active(listening) || position != seen.position || position + ring_bytes >= head_ + ring_bytes / 2) {
            seen = {position, now};
        } else if (!memory_->alive(port)) {
            put_aside(port, listening, idle);
        } else if (now - seen.since >= stall_limit) {
            put_aside(port, listening, evicted);
        }
    }
}

void wire_cable::put_aside(unsigned port, std::uint64_t listening, enum listening state) noexcept {
    // If the slot has a new owner, or the port runs again, its generation is another one and the exchange fails.
    memory_->header().ports[port].listening.compare_exchange_strong(listening, with_state(listening, state));
}

// --- receiving ---

void wire_cable::listen(bool) {
    start_at_the_heads();
    const wire_layout::header& shared = memory_->header();
    for (unsigned sender = 0; sender < ports_max; ++sender) expected_[sender] = shared.ports[sender].frames.load();
    unconfirmed_ = ~std::uint64_t{0};
}

void wire_cable::start_at_the_heads() noexcept {
    wire_layout::header& shared = memory_->header();
    listening_ = with_state(next_generation(own().listening.load()), active);
    // First visible, then positioned: a sender that does not see this port yet cannot have passed a position that is
    // read afterwards by more than a ring, and one that sees a stale position merely waits for the new one.
    own().listening.store(listening_);
    for (unsigned sender = 0; sender < ports_max; ++sender) {
        read_[sender] = shared.ports[sender].head.load();
        shared.ports[sender].read_by[port_].position.store(read_[sender]);
    }
}

void wire_cable::resume() noexcept {
    start_at_the_heads();
    const wire_layout::header& shared = memory_->header();
    for (unsigned sender = 0; sender < ports_max; ++sender) {
        // May run ahead of what was published; the next frame's own number puts that right.
        unconfirmed_ &= ~(std::uint64_t{1} << sender);
        expect(sender, shared.ports[sender].frames.load());
    }
}

void wire_cable::expect(unsigned sender, std::uint64_t sequence) noexcept {
    const std::uint64_t expected = std::exchange(expected_[sender], sequence);
    const std::uint64_t bit = std::uint64_t{1} << sender;
    if ((unconfirmed_ & bit) == 0) frames_lost_ += static_cast<std::int64_t>(sequence - expected);
    unconfirmed_ &= ~bit;
}

void wire_cable::deafen() noexcept {
    std::uint64_t expected = listening_;
    own().listening.compare_exchange_strong(expected, with_state(listening_, idle));
    listening_ = with_state(listening_, idle);
}

arrivals wire_cable::poll() noexcept {
    if (!is_active(listening_)) return {};
    if (own().listening.load(std::memory_order_acquire) != listening_) resume();
    wire_layout::header& shared = memory_->header();
    const unsigned senders = shared.ports_used.load(std::memory_order_acquire);
    for (unsigned tried = 0; tried < senders; ++tried) {
        const unsigned sender = next_sender_++ % senders;
        const std::uint64_t head = shared.ports[sender].head.load(std::memory_order_acquire);
        if (head == read_[sender]) continue;
        if (rings_[sender] == nullptr) rings_[sender] = memory_->ring(sender);
        batch_.clear();
        batch_sender_ = sender;
        batch_end_ = read_[sender];
        while (batch_end_ != head && batch_.size() < batch_frames_max) {
            const std::byte* at = rings_[sender] + batch_end_ % ring_bytes;
            record next;
            std::memcpy(&next, at, sizeof next);
            // Only an eviction under way can show a damaged record here, and the batch then counts for nothing.
            const std::size_t bytes = std::min<std::size_t>(next.frame_bytes, wire_layout::frame_bytes_max);
            if (batch_end_ == read_[sender]) batch_first_ = next.sequence;
            batch_last_ = next.sequence;
            const bool own_echo = next.sender == port_ && (next.flags & flag_keep_from_self) != 0;
            if (!own_echo) {
                batch_.push_back(
                    {.frame = {at + sizeof next, bytes}, .checksums_known_good = false, .sequence = next.sequence});
            }
            batch_end_ += record_bytes(bytes);
        }
        if (batch_.empty()) {
            release(0);
            continue;
        }
        return {.frames = batch_, .intact = &own().listening, .intact_value = listening_};
    }
    return {};
}

void wire_cable::release(std::size_t frames_taken) noexcept {
    const bool all = frames_taken == batch_.size();
    if (all || frames_taken != 0) {
        expect(batch_sender_, batch_first_);
        expected_[batch_sender_] = (all ? batch_last_ : batch_[frames_taken - 1].sequence) + 1;
    }
    if (own().listening.load() != listening_) return;  // put aside: the next poll takes a new position
    read_[batch_sender_] = batch_end_;
    port_slot& sender = memory_->header().ports[batch_sender_];
    sender.read_by[port_].position.store(batch_end_);
    const bool half_empty = sender.head.load(std::memory_order_relaxed) - batch_end_ <= ring_bytes / 2;
    if (half_empty && sender.room_wanted.load() != 0) {
        sender.room_wanted.store(0);
        futex_wake(sender.room_wanted);
    }
}

bool wire_cable::anything_to_read() const noexcept {
    if (!is_active(listening_)) return false;
    if (own().listening.load() != listening_) return true;
    const wire_layout::header& shared = memory_->header();
    for (unsigned sender = 0; sender < shared.ports_used.load(); ++sender) {
        if (shared.ports[sender].head.load() != read_[sender]) return true;
    }
    return false;
}

bool wire_cable::prepare_to_wait() noexcept {
    rung_ = own().doorbell.load();
    memory_->header().sleepers.fetch_or(std::uint64_t{1} << port_);
    return !anything_to_read();
}

void wire_cable::wait_for_arrivals(std::chrono::milliseconds limit) noexcept {
    futex_wait(own().doorbell, rung_, limit);
}

void wire_cable::wake() noexcept {
    own().doorbell.fetch_add(1);
    futex_wake(own().doorbell);
}

std::uint64_t wire_cable::frames_lost() noexcept {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(frames_lost_, 0));
}

}  // namespace softnic
