// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "flow_rule.hpp"
#include "frame_keys.hpp"

#include <cstddef>
#include <unordered_map>
#include <vector>

namespace softnic {

/// A port's rules, and which of them a frame belongs to.
///
/// A frame goes to the rule that matches and has the lowest priority number; equal rules share it, so each of their
/// queue pairs gets a copy. Of rules of one priority that differ in their masks, the one that says more wins, then the
/// older one. Default rules get what no rule took; sniffers get everything.
class flow_table {
public:
    /// Returns 0, or EEXIST when an equal rule has another tag or another fate.
    int add(flow_rule& rule);
    void remove(const flow_rule& rule) noexcept;

    bool empty() const noexcept { return rules_ == 0; }
    /// True when a rule wants frames that are addressed to others.
    bool promiscuous() const noexcept { return !sniffers_.empty() || !defaults_.empty(); }

    /// The rules a frame belongs to, in a list that stays valid until the next call.
    const std::vector<const flow_rule*>& find(const frame_keys& keys);

private:
    struct words_hash {
        std::size_t operator()(const key_words& words) const noexcept;
    };
    using entry = std::vector<const flow_rule*>;

    /// The rules of one priority and one mask.
    struct group {
        std::uint16_t priority;
        int bits;
        key_words mask;
        std::unordered_map<key_words, entry, words_hash> entries;
    };

    group& group_of(const flow_rule& rule);
    static int conflict(const entry& equal, const flow_rule& rule) noexcept;
    void find_normal(const key_words& keys);

    std::size_t rules_ = 0;
    std::vector<group> groups_;
    entry defaults_;
    entry multicast_defaults_;
    entry sniffers_;
    std::vector<const flow_rule*> found_;
};

}  // namespace softnic
