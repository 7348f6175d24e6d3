// SPDX-License-Identifier: BSD-3-Clause
#include "src/counters.hpp"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <new>
#include <optional>
#include <string>

namespace verbcast {
namespace {

/// Copies all that grows with each batch; the groups are copied one by one.
void copy_totals(const stream_stats& from, stream_stats& to) noexcept {
    to.account = from.account;
    to.heaps = from.heaps;
    to.packets = from.packets;
    to.bytes = from.bytes;
    to.datagram_bytes = from.datagram_bytes;
    to.incomplete_heaps_evicted = from.incomplete_heaps_evicted;
    to.incomplete_heaps_flushed = from.incomplete_heaps_flushed;
    to.incomplete_heaps_aged = from.incomplete_heaps_aged;
    to.single_packet_heaps = from.single_packet_heaps;
    to.heaps_start_missing = from.heaps_start_missing;
    to.heaps_dropped_ring_full = from.heaps_dropped_ring_full;
    to.batches = from.batches;
    to.queues_revived = from.queues_revived;
}

void copy_counts(const group_stats& from, group_stats& to) noexcept {
    to.received = from.received;
    to.ignored = from.ignored;
    to.rejected = from.rejected;
    to.accepted = from.accepted;
    to.kernel_buffers_dropped = from.kernel_buffers_dropped;
    to.nic_frames_dropped = from.nic_frames_dropped;
    to.idle_periods = from.idle_periods;
}

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& more) noexcept {
    if (more) sum = sum.value_or(0) + *more;
}

loss_counts lost_in(const stream_stats& stats) {
    loss_counts lost;
    for (const group_stats& group : stats.groups) {
        add(lost.kernel_buffers, group.kernel_buffers_dropped);
        add(lost.nic, group.nic_frames_dropped);
    }
    if (lost.nic) return lost;
    for (const port_stats& port : stats.ports)
        for (const port_stats::counter& each : port.counters)
            if (each.name == "out_of_buffer") add(lost.nic, each.count);
    return lost;
}

}  // namespace

counters::counters(std::span<const custom_statistic> custom) {
    for (const custom_statistic& each : custom) {
        published_.custom.push_back({each.name, 0});
        custom_merge_.push_back(each.how);
    }
    custom_batch_.resize(custom.size());
    add_group("");  // what readers without groups bring
}

std::uint32_t counters::add_group(std::string_view name) {
    const auto known = std::find_if(work.groups.begin(), work.groups.end(),
                                    [name](const group_stats& group) { return group.name == name; });
    if (known != work.groups.end()) return static_cast<std::uint32_t>(known - work.groups.begin());
    const std::size_t size = work.groups.size() + 1;
    touched_.resize(size);
    if (touched_groups_.capacity() < size) touched_groups_.reserve(2 * size);
    if (work.groups.capacity() < size) work.groups.reserve(2 * size);
    {
        const std::lock_guard lock(mutex_);
        after_stop_.resize(size);
        published_.groups.push_back({.name = std::string(name)});
    }
    work.groups.push_back(published_.groups.back());
    return static_cast<std::uint32_t>(size - 1);
}

void counters::touch_first(std::uint32_t group) noexcept {
    touched_[group] = 1;
    touched_groups_.push_back(group);  // has room for all
}

void counters::ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count) noexcept {
    touch(group);
    work.groups[group].received += count;
    work.groups[group].ignored[reason] += count;
    work.account.received += count;
    work.account.ignored[reason] += count;
}

void counters::reject(std::uint32_t group, reject_reason reason) noexcept {
    touch(group);
    ++work.groups[group].received;
    ++work.groups[group].rejected[reason];
    ++work.account.rejected[reason];
}

void counters::add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept {
    touch(group);
    std::optional<std::uint64_t>& dropped = work.groups[group].kernel_buffers_dropped;
    dropped = dropped.value_or(0) + buffers;
}

void counters::add_nic_drops(std::uint32_t group, std::uint64_t frames) noexcept {
    touch(group);
    std::optional<std::uint64_t>& dropped = work.groups[group].nic_frames_dropped;
    dropped = dropped.value_or(0) + frames;
}

void counters::set_port(const port_stats& now) {
    const std::lock_guard lock(mutex_);
    put_port(now);
}

/// Under mutex_.
void counters::put_port(const port_stats& now) {
    std::vector<port_stats>& ports = published_.ports;
    const auto known =
        std::find_if(ports.begin(), ports.end(), [&now](const port_stats& each) { return each.name == now.name; });
    if (known != ports.end())
        *known = now;
    else
        ports.push_back(now);
}

void counters::merge_custom() noexcept {
    for (std::size_t i = 0; i < custom_batch_.size(); ++i) {
        std::uint64_t& total = published_.custom[i].value;
        total = custom_merge_[i] == custom_statistic::merge::sum ? total + custom_batch_[i]
                                                                 : std::max(total, custom_batch_[i]);
        custom_batch_[i] = 0;
    }
}

void counters::publish() noexcept {
    const std::lock_guard lock(mutex_);
    copy_totals(work, published_);
    for (const std::uint32_t group : touched_groups_) {
        copy_counts(work.groups[group], published_.groups[group]);
        touched_[group] = 0;
    }
    touched_groups_.clear();
    merge_custom();
    published_ring_complete_ = ring_packets_complete;
    published_ring_incomplete_ = ring_packets_incomplete;
}

void counters::add_released(const reader::release_result& found) noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto& each : found.groups) {
        assert(each.group < after_stop_.size());
        after_stop_[each.group].ignored += each.ignored_after_stop;
        after_stop_[each.group].kernel_drops += each.kernel_drops;
        if (std::optional<std::uint64_t>& dropped = after_stop_[each.group].nic_drops; each.nic_drops)
            dropped = dropped.value_or(0) + *each.nic_drops;
    }
    try {
        if (found.port) put_port(*found.port);
    } catch (const std::bad_alloc&) {  // what it counted before stays
    }
}

void counters::add_after_stop(stream_stats& to) const {
    for (std::size_t i = 0; i < to.groups.size(); ++i) {
        group_stats& group = to.groups[i];
        for (std::uint64_t* const received : {&to.account.received, &group.received})
            *received += after_stop_[i].ignored;
        for (ignore_counts* const ignored : {&to.account.ignored, &group.ignored})
            (*ignored)[ignore_reason::after_stop] += after_stop_[i].ignored;
        if (group.kernel_buffers_dropped || after_stop_[i].kernel_drops != 0)
            group.kernel_buffers_dropped = group.kernel_buffers_dropped.value_or(0) + after_stop_[i].kernel_drops;
        if (after_stop_[i].nic_drops)
            group.nic_frames_dropped = group.nic_frames_dropped.value_or(0) + *after_stop_[i].nic_drops;
    }
}

stream_stats counters::snapshot(heap_outlet::pops popped) const {
    stream_stats result;
    std::uint64_t ring_complete = 0;
    std::uint64_t ring_incomplete = 0;
    {
        const std::lock_guard lock(mutex_);
        result = published_;
        add_after_stop(result);
        ring_complete = published_ring_complete_;
        ring_incomplete = published_ring_incomplete_;
    }
    const std::uint64_t complete = std::min(popped.packets_complete, ring_complete);
    const std::uint64_t incomplete = std::min(popped.packets_incomplete, ring_incomplete);
    result.account.delivered_complete += complete;
    result.account.delivered_incomplete += incomplete;
    result.account.in_ring = ring_complete - complete + ring_incomplete - incomplete;
    if (result.groups.front().received == 0) result.groups.erase(result.groups.begin());
    result.lost = lost_in(result);
    assert(result.account.balanced());
    return result;
}

}  // namespace verbcast
