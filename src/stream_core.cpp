// SPDX-License-Identifier: BSD-3-Clause
#include "src/stream_core.hpp"

#include <cassert>
#include <cstring>
#include <mutex>
#include <utility>

#include "src/heap_memory.hpp"
#include "src/stream_timer.hpp"

namespace verbcast {
namespace {

/// How many packets may be added before someone who waits to stop the stream is heard.
constexpr std::size_t stop_check_packets = 64;

/// Fetches a datagram while those before it are worked on. The copy of a short payload is a loop of loads, which would
/// wait for each line of memory; a long one reads ahead by itself. tests/benchmark: at 1416 bytes 60 ns a packet, and
/// 220 without.
constexpr std::size_t prefetch_distance = 2;

inline void prefetch(const datagram& next) noexcept {
    constexpr std::size_t line_bytes = 64;
    constexpr std::size_t short_bytes = 4096;
    constexpr std::size_t header_bytes = 256;
    const std::size_t bytes = next.size <= short_bytes ? next.size : header_bytes;
    // Four lines a turn: up to three beyond the end do no harm.
    for (std::size_t at = 0; at < bytes; at += 4 * line_bytes) {
        __builtin_prefetch(next.data + at);
        __builtin_prefetch(next.data + at + line_bytes);
        __builtin_prefetch(next.data + at + 2 * line_bytes);
        __builtin_prefetch(next.data + at + 3 * line_bytes);
    }
}

placement_report placement_of(const stream_config& config, const io_context_ref& context) {
    constexpr std::size_t threads = 1;
    if (config.place) return place_here(*config.place, threads);
    return context.placed() ? *context.placed() : place_here({}, threads);
}

std::shared_ptr<std::pmr::memory_resource> memory_of(const stream_config& config, std::optional<int> node) {
    if (config.memory) return config.memory;
    return std::make_shared<heap_memory>(config.live_bytes_max / 4, node);
}

live_heap_rules rules_of(const stream_config& config, std::optional<int> memory_node) {
    return {.out_of_order = config.out_of_order,
            .allow_unsized = config.allow_unsized,
            .compat = config.compat,
            .heap_bytes_max = config.heap_bytes_max,
            .live_bytes_max = config.live_bytes_max,
            .heap_pointers_max = config.heap_pointers_max,
            .heap_ranges_max = config.heap_ranges_max,
            .memory = memory_of(config, memory_node)};
}

}  // namespace

stream_core::stream_core(shared_state& state, io_context_ref context, const stream_config& config,
                         std::unique_ptr<heap_outlet> outlet)
    : state_(state), context_(std::move(context)), config_(config), placed_(placement_of(config_, context_)),
      outlet_(std::move(outlet)),
      window_(config_.heaps_live_max, config_.substreams, rules_of(config_, placed_.memory_node)),
      counters_(config_.statistics), readers_(state_, context_.get(), counters_, config_.explicit_start) {}

stream_core::~stream_core() = default;

void stream_core::start_timer() {
    if (!config_.heap_age_max && !config_.idle_after) return;
    readers_.add(std::make_unique<stream_timer>(*this, config_), reader_set::role::background);
}

void stream_core::begin_batch() noexcept {
    ++counters_.work.batches;
    outlet_->readers_changed(readers_.all_lossless());
    pausing_ = outlet_->must_pause();
    if (config_.heap_age_max) now_ticks_ = std::chrono::steady_clock::now().time_since_epoch().count();
}

std::size_t stream_core::add(std::span<const datagram> datagrams, clock_source clock) {
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
        if (i % stop_check_packets == 0 && state_.stop_is_requested()) return i;
        if (pausing_ && must_pause()) return i;
        if (i + prefetch_distance < datagrams.size()) prefetch(datagrams[i + prefetch_distance]);
        add_one(datagrams[i], clock);
    }
    return datagrams.size();
}

void stream_core::add_one(const datagram& each, clock_source clock) {
    if (mark_.stopped()) return ignore(each.group, ignore_reason::after_stop, 1);
    if (each.size == 0) return ignore(each.group, ignore_reason::empty, 1);
    ++counters_.work.account.received;
    counters_.work.datagram_bytes += each.size;
    const std::span<const std::byte> bytes{each.data, each.size};
    if (const packet* const recalled = memo_.recall(bytes)) {
        if (!add_repeat(*recalled, each)) offer(*recalled, each.group, each.arrival, clock, memo_.id());
        return;
    }
    packet decoded;
    if (const auto reason = decode_datagram(bytes, decoded)) return counters_.reject(each.group, *reason);
    memo_.remember(bytes, decoded);
    offer(decoded, each.group, each.arrival, clock, memo_.id());
}

/// The way of nearly all packets: the next piece of the heap that had the last one, behind the same header.
bool stream_core::add_repeat(const packet& repeat, const datagram& source) {
    live_heap& heap = window_.recent();
    // A packet that is a whole heap starts a new one, always.
    if (heap.header_id != memo_.id() || heap.cnt() != repeat.heap_cnt || repeat.payload.size() == repeat.heap_length)
        return false;
    if (!heap.take_repeat(repeat, source.arrival)) return false;
    ++counters_.work.packets;
    count_accepted(heap, repeat, source.group);
    place_payload(repeat, heap.destination(repeat));
    if (heap.complete()) deliver(heap.finish(), false);
    return true;
}

std::size_t stream_core::add_front(std::span<const std::byte> bytes, std::uint32_t group) {
    if (stopping() || (pausing_ && must_pause())) return 0;
    ++counters_.work.account.received;
    packet decoded;
    if (const auto reason = decode_packet(bytes, decoded)) {
        counters_.reject(group, *reason);
        counters_.work.datagram_bytes += bytes.size();
        return bytes.size();
    }
    counters_.work.datagram_bytes += decoded.bytes;
    offer(decoded, group, {}, clock_source::none, 0);
    return decoded.bytes;
}

void stream_core::offer(const packet& offered, std::uint32_t group, arrival_time arrival, clock_source clock,
                        std::uint64_t header_id) {
    ++counters_.work.packets;
    in_limbo_ = true;
    const heap_window::outcome outcome = window_.add(offered, arrival, clock);
    in_limbo_ = false;
    if (outcome.rejected) {
        counters_.reject(group, *outcome.rejected);
        if (*outcome.rejected == reject_reason::start_missing) note_missing_start(offered.heap_cnt);
        return;
    }
    live_heap& heap = *outcome.place;
    heap.header_id = heap.exceeds_length() ? 0 : header_id;
    count_accepted(heap, offered, group);
    if (outcome.started) hand_on_evicted();
    place_payload(offered, heap.destination(offered));
    const bool stops = offered.stops && config_.stop_on_stop_item;
    counters_.work.single_packet_heaps += offered.payload.size() == offered.heap_length;
    if (heap.complete()) complete(heap, stops);
    if (stops) mark_ = {.what = stop_reason::kind::stop_item, .message = "a sender sent its stop item"};
}

inline void stream_core::count_accepted(live_heap& heap, const packet& accepted, std::uint32_t group) noexcept {
    counters_.accept(group);
    ++counters_.work.account.live;
    counters_.work.bytes += accepted.payload.size();
    heap.last_active_ticks = now_ticks_;
}

void stream_core::hand_on_evicted() {
    heap_ref evicted = window_.take_evicted();
    if (!evicted) return;
    ++counters_.work.incomplete_heaps_evicted;
    deliver(std::move(evicted), false);
}

void stream_core::note_missing_start(std::uint64_t cnt) noexcept {
    if (cnt == missing_start_cnt_) return;
    missing_start_cnt_ = cnt;
    ++counters_.work.heaps_start_missing;
}

inline void stream_core::place_payload(const packet& source, std::byte* destination) {
    if (!config_.place_payload) {
        if (!source.payload.empty()) std::memcpy(destination, source.payload.data(), source.payload.size());
        return;
    }
    config_.place_payload({source, {destination, source.payload.size()}, counters_.custom_batch()});
}

void stream_core::complete(live_heap& finished, bool stops) {
    if (!stops) return deliver(finished.finish(), false);
    // A complete stop heap is the sender's goodbye, not data.
    counters_.work.account.live -= finished.packets();
    counters_.work.account.stop_heap += finished.packets();
    finished.clear();
}

void stream_core::deliver(heap_ref finished, bool flushed) {
    packet_account& account = counters_.work.account;
    const std::uint64_t packets = finished->packets();
    const bool incomplete = finished->status() == heap_status::incomplete;
    account.live -= packets;
    ++counters_.work.heaps;
    heap_outlet::delivery done;
    try {
        done = outlet_->accept(std::move(finished), flushed);
    } catch (...) {
        account.dropped_error += packets;
        throw;
    }
    switch (done.what) {
    case heap_outlet::outcome::delivered:
        (incomplete ? account.delivered_incomplete : account.delivered_complete) += packets;
        break;
    case heap_outlet::outcome::in_ring:
        (incomplete ? counters_.ring_packets_incomplete : counters_.ring_packets_complete) += packets;
        break;
    case heap_outlet::outcome::dropped_ring_full:
        account.dropped_ring_full += packets;
        ++counters_.work.heaps_dropped_ring_full;
        break;
    case heap_outlet::outcome::dropped_incomplete: account.dropped_incomplete += packets; break;
    }
    counters_.ring_packets_complete -= done.displaced_packets_complete;
    counters_.ring_packets_incomplete -= done.displaced_packets_incomplete;
    account.dropped_ring_full += done.displaced_packets_complete + done.displaced_packets_incomplete;
    counters_.work.heaps_dropped_ring_full += done.displaced_heaps;
    pausing_ = outlet_->must_pause();
}

void stream_core::ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count) noexcept {
    counters_.ignore(group, reason, count);
}

bool stream_core::must_pause() noexcept {
    pausing_ = outlet_->must_pause();
    return pausing_;
}

void stream_core::park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked) {
    outlet_->park(executor, std::move(parked));
}

std::uint32_t stream_core::add_group(std::string_view name) { return counters_.add_group(name); }

void stream_core::add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept {
    counters_.add_kernel_drops(group, buffers);
}

void stream_core::fail(std::exception_ptr error) noexcept {
    if (in_limbo_) ++counters_.work.account.dropped_error;
    in_limbo_ = false;
    if (mark_.failed()) return;  // the first one is kept
    callbacks_failed_ = true;
    mark_ = stop_reason::from(std::move(error));
}

void stream_core::report(stream_event::kind what, std::string_view text) {
    if (config_.on_event) config_.on_event({what, std::string(text)});
}

void stream_core::end_reader(const reader& ended, stop_reason why) {
    report(stream_event::kind::reader_ended, ended.description() + ": " + why.message);
    const bool last = readers_.end(ended);
    if (last || config_.stop_on_first_end) mark_ = std::move(why);
}

void stream_core::age_out(std::chrono::steady_clock::time_point since) {
    window_.for_each_live([&](live_heap& each) {
        if (each.last_active_ticks >= since.time_since_epoch().count() || stopping() || must_pause()) return;
        ++counters_.work.incomplete_heaps_aged;
        deliver(each.finish(), false);
    });
}

void stream_core::report_idle_groups() {
    counters_.for_each_idle_change([this](const group_stats& group, bool idle) {
        if (idle)
            report(stream_event::kind::group_idle, group.name + ": nothing comes any more");
        else
            report(stream_event::kind::group_resumed, group.name + ": packets come again");
    });
}

stop_reason stream_core::reason() const {
    const std::lock_guard lock(reason_mutex_);
    return stopped_;
}

void stream_core::destroy_readers() noexcept {
    readers_.destroy();
    outlet_->wait_for_resumptions();
}

void stream_core::end_batch() noexcept {
    if (mark_.stopped())
        stop_locked(std::move(mark_));
    else if (state_.stop_is_requested())
        stop_locked({.what = state_.requested_stop()});
    else {
        readers_.leave_ended();
        counters_.publish();
    }
}

void stream_core::stop_locked(stop_reason why) noexcept {
    settle_live_heaps(why);
    state_.stream = nullptr;
    {
        const std::lock_guard lock(reason_mutex_);
        stopped_ = why.copy();
    }
    // Before the readers are told: another thread may release them at once, and then the account is final.
    counters_.publish();
    readers_.stop();
    outlet_->close(why);
}

/// Delivers what was in flight when the network ended the stream; drops and counts it otherwise.
void stream_core::settle_live_heaps(stop_reason& why) noexcept {
    packet_account& account = counters_.work.account;
    if (callbacks_failed_) return drop_live_heaps(account.dropped_error);
    if (why.what == stop_reason::kind::user_stop || why.what == stop_reason::kind::destroyed)
        return drop_live_heaps(account.dropped_user_stop);
    try {
        window_.for_each_live([this](live_heap& each) {
            ++counters_.work.incomplete_heaps_flushed;
            deliver(each.finish(), true);
        });
    } catch (...) {
        if (!why.failed()) why = stop_reason::from(std::current_exception());
        drop_live_heaps(account.dropped_error);
    }
}

void stream_core::drop_live_heaps(std::uint64_t& counter) noexcept {
    window_.for_each_live([&](live_heap& each) {
        ++counters_.work.incomplete_heaps_flushed;
        counters_.work.account.live -= each.packets();
        counter += each.packets();
        each.clear();
    });
}

}  // namespace verbcast
