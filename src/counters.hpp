// SPDX-License-Identifier: BSD-3-Clause
/// The statistics of a stream: counted under the stream's lock, published once a batch.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <verbcast/account.hpp>
#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

#include "src/heap_outlet.hpp"
#include "src/sync.hpp"

namespace verbcast {

class counters {
public:
    explicit counters(std::span<const custom_statistic> custom);

    /// Counted under queue_mutex. What the outlet was given for its ring stands in ring_packets_*, not in the account.
    stream_stats work;
    std::uint64_t ring_packets_complete = 0;
    std::uint64_t ring_packets_incomplete = 0;

    std::uint32_t add_group(std::string_view name);
    void ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count) noexcept;
    void reject(std::uint32_t group, reject_reason reason) noexcept;
    void accept(std::uint32_t group) noexcept {
        touch(group);
        ++work.groups[group].received;
        ++work.groups[group].accepted;
    }
    void add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept;
    void add_nic_drops(std::uint32_t group, std::uint64_t frames) noexcept;
    /// Calls `visit(const group_stats&, bool idle)` for each group that fell silent, or came to life again, since the
    /// last call, and counts the silences.
    template <class Visitor>
    void for_each_idle_change(Visitor visit);
    /// This batch's part of the user's statistics.
    std::span<std::uint64_t> custom_batch() noexcept { return custom_batch_; }

    /// Under queue_mutex, at the end of a batch.
    void publish() noexcept;
    /// Replaces what is known of a NIC's port. Any thread.
    void set_port(const port_stats& now);
    /// What a reader found after it was stopped; the stream may go on. Any thread.
    void add_released(const reader::release_result& found) noexcept;

    /// Any thread. A heap may be popped before the batch that pushed it is published: it is then still shown as being
    /// in the ring, so that the equation always holds.
    stream_stats snapshot(heap_outlet::pops popped) const;

private:
    void touch(std::uint32_t group) noexcept {
        assert(group < work.groups.size());
        if (!touched_[group]) touch_first(group);
    }
    void touch_first(std::uint32_t group) noexcept;
    void merge_custom() noexcept;
    void add_after_stop(stream_stats& to) const;
    void put_port(const port_stats& now);

    struct watched {
        std::uint64_t received = 0;  // at the last for_each_idle_change()
        bool idle = false;
    };

    /// What came to light when readers were released: not part of `work`, which the next publish() copies over all.
    struct after_stop {
        std::uint64_t ignored = 0;
        std::uint64_t kernel_drops = 0;
        std::optional<std::uint64_t> nic_drops;
    };

    std::vector<watched> watched_;  // by group
    std::vector<custom_statistic::merge> custom_merge_;
    std::vector<std::uint64_t> custom_batch_;
    std::vector<std::uint8_t> touched_;          // by group: it is in touched_groups_
    std::vector<std::uint32_t> touched_groups_;  // counted since the last publish()

    mutable sync::mutex mutex_{sync::lock_rank::leaf};
    stream_stats published_;
    std::vector<after_stop> after_stop_;  // by group
    std::uint64_t published_ring_complete_ = 0;
    std::uint64_t published_ring_incomplete_ = 0;
};

template <class Visitor>
void counters::for_each_idle_change(Visitor visit) {
    watched_.resize(work.groups.size());
    for (std::uint32_t i = 1; i < work.groups.size(); ++i) {
        group_stats& group = work.groups[i];
        const bool idle = group.received == std::exchange(watched_[i].received, group.received);
        if (idle == std::exchange(watched_[i].idle, idle)) continue;
        if (idle) {
            touch(i);
            ++group.idle_periods;
        }
        visit(std::as_const(group), idle);
    }
}

}  // namespace verbcast
