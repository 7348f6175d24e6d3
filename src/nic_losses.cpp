// SPDX-License-Identifier: BSD-3-Clause
#include "src/nic_losses.hpp"

#include <algorithm>

namespace verbcast {

nic_losses::nic_losses(const verbs::frame_queue& queue) : rules_(queue.rules()), counters_(queue.owner()) {
    port_.name = queue.owner().port_name();
    for (const auto& each : counters_.read()) port_.counters.push_back({each.name, each.count});
    for (std::size_t i = 0; i < rules_.size(); ++i) rules_[i].counted = queue.frames_matched(i).has_value();
}

void nic_losses::settle() noexcept {
    if (!std::exchange(looked_, false)) return;
    for (rule_count& each : rules_) each.settled = each.matched;
}

std::uint64_t nic_losses::take(std::size_t index) noexcept {
    rule_count& of = rules_[index];
    const std::uint64_t lost = of.settled > of.arrived ? of.settled - of.arrived : 0;
    if (lost <= of.told) return 0;
    return lost - std::exchange(of.told, lost);
}

void nic_losses::look_at(const verbs::frame_queue& queue, std::size_t index) noexcept {
    if (!rules_[index].counted) return;
    looked_ = true;
    rules_[index].matched = queue.frames_matched(index).value_or(rules_[index].matched);
}

void nic_losses::look_at_port() {
    const auto& now = counters_.read();
    for (std::size_t i = 0; i < now.size(); ++i) port_.counters[i].count = now[i].count;
}

void nic_losses::look(const verbs::frame_queue& queue) {
    for (std::size_t left = std::min(rules_at_once, rules_.size()); left != 0; --left) {
        look_at(queue, next_);
        next_ = (next_ + 1) % rules_.size();
    }
    look_at_port();
}

void nic_losses::look_at_all(const verbs::frame_queue& queue) noexcept {
    for (std::size_t i = 0; i < rules_.size(); ++i) look_at(queue, i);
    look_at_port();
}

}  // namespace verbcast
