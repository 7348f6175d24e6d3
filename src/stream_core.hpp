// SPDX-License-Identifier: BSD-3-Clause
/// All that a handler touches: live heaps, counters, readers, the outlet. Owned by the stream's handle, reached by
/// handlers through shared_state, and destroyed after the stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>

#include <verbcast/account.hpp>
#include <verbcast/add_packet_handler.hpp>
#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

#include "src/counters.hpp"
#include "src/header_memo.hpp"
#include "src/heap_outlet.hpp"
#include "src/heap_window.hpp"
#include "src/reader_set.hpp"
#include "src/shared_state.hpp"
#include "src/sync.hpp"

namespace verbcast {

class stream_core {
public:
    stream_core(shared_state& state, io_context_ref context, const stream_config& config,
                std::unique_ptr<heap_outlet> outlet);
    ~stream_core();

    // Under queue_mutex, from stream_base::add_packet_handler.
    void begin_batch() noexcept;
    std::size_t add(std::span<const datagram> datagrams, clock_source clock);
    std::size_t add_front(std::span<const std::byte> bytes, std::uint32_t group);
    void ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count) noexcept;
    bool stopping() const noexcept { return mark_.stopped() || state_.stop_is_requested(); }
    bool must_pause() noexcept;
    void park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked);
    std::uint32_t add_group(std::string_view name);
    void add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept;
    void add_nic_drops(std::uint32_t group, std::uint64_t frames) noexcept { counters_.add_nic_drops(group, frames); }
    void set_port(const port_stats& now) { counters_.set_port(now); }
    void count_revival() noexcept { ++counters_.work.queues_revived; }
    void end_reader(const reader& ended, stop_reason why);
    void fail(std::exception_ptr error) noexcept;
    void report(stream_event::kind what, std::string_view text);
    /// Delivers heaps that got no packet since then, as far as there is room for them.
    void age_out(std::chrono::steady_clock::time_point since);
    /// Reports groups from which nothing came since the last call.
    void report_idle_groups();
    /// Flushes and stops the stream if it is marked, and publishes the statistics.
    void end_batch() noexcept;

    /// Under queue_mutex: the only place where a stream stops. Once.
    void stop_locked(stop_reason why) noexcept;

    // Any thread, nothing locked.
    bool add_reader(std::unique_ptr<reader> added) { return readers_.add(std::move(added), reader_set::role::input); }
    void start() { readers_.start(); }
    /// Once, when handlers can find the stream.
    void start_timer();
    bool wait_released(std::chrono::steady_clock::time_point deadline) { return readers_.wait_released(deadline); }
    stream_stats stats() const { return counters_.snapshot(outlet_->popped()); }
    stop_reason reason() const;
    /// After the stop, on the thread that destroys the stream.
    void destroy_readers() noexcept;

    boost::asio::io_context& context() const noexcept { return context_.get(); }
    const placement_report& placed() const noexcept { return placed_; }

private:
    void add_one(const datagram& each, clock_source clock);
    void offer(const packet& offered, std::uint32_t group, arrival_time arrival, clock_source clock,
               std::uint64_t header_id);
    bool add_repeat(const packet& repeat, const datagram& source);
    void count_accepted(live_heap& heap, const packet& accepted, std::uint32_t group) noexcept;
    void hand_on_evicted();
    void note_missing_start(std::uint64_t cnt) noexcept;
    void place_payload(const packet& source, std::byte* destination);
    void complete(live_heap& finished, bool stops);
    void deliver(heap_ref finished, bool flushed);
    void settle_live_heaps(stop_reason& why) noexcept;
    void drop_live_heaps(std::uint64_t& counter) noexcept;

    shared_state& state_;
    const io_context_ref context_;
    const stream_config config_;
    const placement_report placed_;
    std::unique_ptr<heap_outlet> outlet_;

    // Under queue_mutex.
    heap_window window_;
    header_memo memo_;
    counters counters_;
    stop_reason mark_;  // why the stream stops at the end of this batch
    bool callbacks_failed_ = false;
    bool pausing_ = false;
    bool in_limbo_ = false;  // a packet was received and is in no other counter yet
    std::int64_t now_ticks_ = 0;
    std::uint64_t missing_start_cnt_ = ~std::uint64_t{0};

    mutable sync::mutex reason_mutex_{sync::lock_rank::leaf};
    stop_reason stopped_;

    reader_set readers_;
};

}  // namespace verbcast
