// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/chooser.hpp"

#include <algorithm>
#include <stdexcept>

namespace verbcast::explorer {

namespace {

// FNV-1a.
std::uint64_t hash(std::span<const option> options) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const option& each : options) value = (value ^ (each.thread * 2U + (each.timeout ? 1U : 0U))) * 0x100000001b3U;
    return value;
}

}  // namespace

std::size_t exhaustive_chooser::choose(std::span<const option> options, bool free) {
    if (depth_ == path_.size()) path_.push_back({hash(options), options.size(), 0, preemptions_, free});
    const choice& at = path_[depth_++];
    if (at.options != options.size() || at.options_hash != hash(options))
        throw std::logic_error("the scenario did something else under the same choices");
    if (!free && at.chosen != 0) ++preemptions_;
    return at.chosen;
}

bool exhaustive_chooser::next() {
    depth_ = 0;
    preemptions_ = 0;
    while (!path_.empty()) {
        choice& last = path_.back();
        const bool may_change = last.free || last.preemptions_before < preemptions_max_;
        if (may_change && last.chosen + 1 < last.options) {
            ++last.chosen;
            return true;
        }
        path_.pop_back();
    }
    return false;
}

random_chooser::random_chooser(std::uint64_t seed) : random_(seed) { preempt_one_in_ = 2U << (random_() % 5); }

std::size_t random_chooser::choose(std::span<const option> options, bool free) {
    if (!free && random_() % preempt_one_in_ != 0) return 0;
    return static_cast<std::size_t>(random_() % options.size());
}

std::size_t replay_chooser::choose(std::span<const option> options, bool) {
    if (depth_ == schedule_.size()) return 0;
    const auto found = std::ranges::find(options, schedule_[depth_++]);
    if (found == options.end()) throw std::invalid_argument("not a schedule of this scenario");
    return static_cast<std::size_t>(found - options.begin());
}

}  // namespace verbcast::explorer
