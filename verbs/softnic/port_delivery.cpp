// SPDX-License-Identifier: BSD-3-Clause
#include "checksum.hpp"
#include "port.hpp"
#include "queue_pair.hpp"
#include "threads.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>

namespace softnic {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds sleep_limit{100};
constexpr std::chrono::milliseconds nap_limit{10};  // counters wait to be published
constexpr std::chrono::microseconds patience{50};   // polling this long is cheaper than a sleep and a wake-up
constexpr std::chrono::milliseconds counters_interval{100};
constexpr std::chrono::milliseconds overtaking_limit{100};  // nothing has come for so long: nothing will overtake

unsigned flags_of(std::span<const std::byte> frame, const frame_layers& layers, bool known_good) noexcept {
    return known_good || checksums_hold(frame, layers) ? unsigned{IBV_WC_IP_CSUM_OK} : 0U;
}

}  // namespace

void port::deliver_until_stopped() {
    ask_for_short_turns();
    steady_clock::time_point told = steady_clock::now();
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (!deliver_batch()) {
            wait_for_traffic();
            continue;
        }
        quiet_since_ = {};
        if (const auto now = steady_clock::now(); now - told >= counters_interval) {
            told = now;
            publish_counters();
        }
    }
}

bool port::deliver_batch() {
    const std::scoped_lock lock(receive_mutex);
    const arrivals batch = cable_->poll();
    if (batch.frames.empty()) return false;
    std::size_t taken = 0;
    while (taken < batch.frames.size() && take(batch.frames[taken], batch)) ++taken;
    cable_->release(taken);
    return true;
}

void port::wait_for_traffic() {
    for (const auto until = steady_clock::now() + patience; steady_clock::now() < until;) {
        if (deliver_batch()) {
            quiet_since_ = {};
            return;
        }
        ::sched_yield();
    }
    bool holding = false;
    {
        const std::scoped_lock lock(receive_mutex);
        if (!held_.empty() && quiet_for(overtaking_limit)) deliver_held(~std::uint64_t{0});
        if (!cable_->prepare_to_wait()) return;
        holding = !held_.empty();
    }
    const bool published = publish_counters();
    cable_->wait_for_arrivals(published && !holding ? sleep_limit : nap_limit);
}

bool port::quiet_for(std::chrono::milliseconds limit) {
    const auto now = steady_clock::now();
    if (quiet_since_ == steady_clock::time_point{}) quiet_since_ = now;
    return now - quiet_since_ >= limit;
}

bool port::publish_counters() {
    {
        const std::scoped_lock lock(receive_mutex);
        cable_lost_.store(cable_->frames_lost(), std::memory_order_relaxed);
    }
    return tell_.counters_changed();
}

bool port::take(const arrival& each, const arrivals& batch) {
    const frame_layers layers = parse_frame(each.frame);
    const std::vector<const flow_rule*>& rules = rules_.find(layers.keys);
    if (rules.empty()) {
        count(account_.offered);
        count(account_.lost_no_rule);
        return true;
    }
    const bool broken = down_frames_ != 0 || dead_.load(std::memory_order_relaxed);
    if (faults_.concerns_frames() || broken) return take_with_faults(each, layers, batch);
    if (!deliver(each, layers, batch, rules)) return false;
    count(account_.offered);
    return true;
}

bool port::take_with_faults(const arrival& each, const frame_layers& layers, const arrivals& batch) {
    // The bytes are copied first: what a script does with them may take longer than they stay on the cable.
    const std::vector<std::byte> copy(each.frame.begin(), each.frame.end());
    if (batch.intact != nullptr && batch.intact->load(std::memory_order_acquire) != batch.intact_value) return false;
    const arrival own{.frame = copy, .checksums_known_good = each.checksums_known_good, .sequence = each.sequence};
    count(account_.offered);
    const frame_verdict verdict = faults_.judge(configuration_.name, ++frames_matched_);
    if (verdict.broken) {
        std::vector<queue_pair*> concerned;
        for (const flow_rule* rule : rules_.find(layers.keys)) concerned.push_back(rule->target);
        break_now(verdict.broken, concerned);
    }
    const bool lost = lose_in_breakage();
    if (lost) {
        // Counted by whoever lost it; those that it was to overtake go on.
    } else if (verdict.drop) {
        count(account_.lost_fault);
    } else if (verdict.delay_frames != 0) {
        count(account_.reordered);
        hold({copy, frames_matched_ + verdict.delay_frames, own.checksums_known_good});
    } else if (verdict.corrupt) {
        take_corrupted(own, layers, verdict.random);
    } else {
        redeliver(own.frame, own.checksums_known_good);
    }
    for (std::uint64_t i = 0; i < verdict.extra_copies && !verdict.drop && !lost; ++i) {
        count(account_.duplicated);
        redeliver(own.frame, own.checksums_known_good);
    }
    deliver_held(frames_matched_);
    return true;
}

void port::take_corrupted(const arrival& each, const frame_layers& layers, std::uint64_t random) {
    count(account_.corrupted);
    std::vector<std::byte> damaged(each.frame.begin(), each.frame.end());
    const std::size_t from = layers.payload_offset != 0 && layers.payload_offset < damaged.size()
                                 ? layers.payload_offset
                                 : std::min<std::size_t>(14, damaged.size() - 1);
    damaged[from + random % (damaged.size() - from)] ^= std::byte{1} << (random >> 32) % 8;
    redeliver(damaged, false);
}

void port::redeliver(std::span<const std::byte> frame, bool checksums_known_good) {
    const frame_layers layers = parse_frame(frame);
    const std::vector<const flow_rule*>& rules = rules_.find(layers.keys);
    if (rules.empty()) count(account_.lost_no_rule);
    deliver({.frame = frame, .checksums_known_good = checksums_known_good, .sequence = 0}, layers, {}, rules);
}

void port::hold(held_frame frame) {
    const auto later = [](std::uint64_t due, const held_frame& other) { return due < other.due; };
    held_.insert(std::upper_bound(held_.begin(), held_.end(), frame.due, later), std::move(frame));
}

void port::deliver_held(std::uint64_t up_to) {
    while (!held_.empty() && held_.front().due <= up_to) {
        const held_frame held = std::move(held_.front());
        held_.pop_front();
        redeliver(held.bytes, held.checksums_known_good);
    }
}

bool port::deliver(const arrival& each, const frame_layers& layers, const arrivals& batch,
                   const std::vector<const flow_rule*>& rules) {
    incoming_frame frame;
    frame.bytes = each.frame;
    frame.tagged = layers.keys.tagged != 0;
    frame.vlan_tag = __builtin_bswap16(layers.keys.vlan_tag);
    frame.intact = batch.intact;
    frame.intact_value = batch.intact_value;
    bool checked = false;
    served_.clear();
    for (const flow_rule* rule : rules) {
        for (counter_set* counters : rule->counters) {
            counters->frames.fetch_add(1, std::memory_order_relaxed);
            counters->bytes.fetch_add(each.frame.size(), std::memory_order_relaxed);
        }
        if (rule->drops) {
            count(account_.lost_drop_rule);
            continue;
        }
        if (std::find(served_.begin(), served_.end(), rule->target) != served_.end()) continue;
        if (!std::exchange(checked, true)) frame.flags = flags_of(each.frame, layers, each.checksums_known_good);
        frame.flow_tag = rule->tag.value_or(0);
        if (!rule->target->receive(frame)) return false;
        served_.push_back(rule->target);
    }
    return true;
}

}  // namespace softnic
