// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <verbcast/account.hpp>

#include "verbs/frame_queue.hpp"
#include "verbs/port_counters.hpp"

namespace verbcast {

/// What a NIC lost of the frames that were meant for a reader: for each rule those that it matched less those that
/// arrived.
///
/// A frame that has just been matched may still be on its way, so a count of the rule is held against the arrivals of a
/// later moment: what is told is a lower bound, and never taken back. One thread at a time.
class nic_losses {
public:
    explicit nic_losses(const verbs::frame_queue& queue);

    /// A frame arrived for the rule.
    void arrived(std::uint32_t rule) noexcept { ++rules_[rule].arrived; }
    std::size_t rules() const noexcept { return rules_.size(); }
    bool counted(std::size_t rule) const noexcept { return rules_[rule].counted; }

    /// Everything that was matched before the last look has arrived or is lost: call it once the queue was found empty.
    void settle() noexcept;
    /// Frames lost at the rule of this index that were not told of before.
    std::uint64_t take(std::size_t index) noexcept;

    /// Looks at the counts of some rules, in turn: a question to the device each. And at the port's.
    void look(const verbs::frame_queue& queue);
    /// Looks at all of them; for the end, when nothing is on its way any more.
    void look_at_all(const verbs::frame_queue& queue) noexcept;

    const port_stats& port() const noexcept { return port_; }

private:
    static constexpr std::size_t rules_at_once = 32;

    struct rule_count {
        std::uint64_t arrived = 0;
        std::uint64_t matched = 0;  // at the last look
        std::uint64_t settled = 0;  // of these nothing is on its way
        std::uint64_t told = 0;
        bool counted = false;  // the device counts for this rule
    };

    void look_at(const verbs::frame_queue& queue, std::size_t index) noexcept;
    void look_at_port();

    std::vector<rule_count> rules_;
    std::size_t next_ = 0;
    bool looked_ = false;  // since the last settle()
    verbs::port_counters counters_;
    port_stats port_;
};

}  // namespace verbcast
