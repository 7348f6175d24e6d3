// SPDX-License-Identifier: BSD-3-Clause
#include "flow_table.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace softnic {
namespace {

key_words masked(const key_words& words, const key_words& mask) noexcept {
    key_words result;
    for (std::size_t i = 0; i < words.size(); ++i) result[i] = words[i] & mask[i];
    return result;
}

int bits_of(const key_words& mask) noexcept {
    int bits = 0;
    for (const std::uint64_t word : mask) bits += std::popcount(word);
    return bits;
}

}  // namespace

std::size_t flow_table::words_hash::operator()(const key_words& words) const noexcept {
    std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (const std::uint64_t word : words) {
        hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash;
}

flow_table::group& flow_table::group_of(const flow_rule& rule) {
    const auto same = [&](const group& each) { return each.priority == rule.priority && each.mask == rule.match.mask; };
    const auto found = std::find_if(groups_.begin(), groups_.end(), same);
    if (found != groups_.end()) return *found;
    const int bits = bits_of(rule.match.mask);
    const auto after = [&](const group& each) {
        return each.priority > rule.priority || (each.priority == rule.priority && each.bits < bits);
    };
    const auto place = std::find_if(groups_.begin(), groups_.end(), after);
    return *groups_.insert(place, group{rule.priority, bits, rule.match.mask, {}});
}

int flow_table::conflict(const entry& equal, const flow_rule& rule) noexcept {
    for (const flow_rule* other : equal) {
        if (other->drops != rule.drops || other->lets_pass != rule.lets_pass) return EEXIST;
        if (rule.tag && other->tag.value_or(0) != *rule.tag) return EEXIST;
    }
    return 0;
}

int flow_table::add(flow_rule& rule) {
    switch (rule.type) {
    case IBV_FLOW_ATTR_NORMAL: {
        entry& equal = group_of(rule).entries[rule.match.value];
        if (const int error = conflict(equal, rule); error != 0) return error;
        // The tag belongs to the match: a rule that names none takes the one that is there.
        if (!equal.empty() && !rule.tag) rule.tag = equal.front()->tag;
        equal.push_back(&rule);
        break;
    }
    case IBV_FLOW_ATTR_ALL_DEFAULT: defaults_.push_back(&rule); break;
    case IBV_FLOW_ATTR_MC_DEFAULT: multicast_defaults_.push_back(&rule); break;
    case IBV_FLOW_ATTR_SNIFFER: sniffers_.push_back(&rule); break;
    }
    ++rules_;
    return 0;
}

void flow_table::remove(const flow_rule& rule) noexcept {
    for (entry* list : {&defaults_, &multicast_defaults_, &sniffers_}) std::erase(*list, &rule);
    for (auto each = groups_.begin(); rule.type == IBV_FLOW_ATTR_NORMAL && each != groups_.end(); ++each) {
        if (each->priority != rule.priority || each->mask != rule.match.mask) continue;
        const auto equal = each->entries.find(rule.match.value);
        std::erase(equal->second, &rule);
        if (equal->second.empty()) each->entries.erase(equal);
        if (each->entries.empty()) groups_.erase(each);
        break;
    }
    --rules_;
}

void flow_table::find_normal(const key_words& keys) {
    for (const group& each : groups_) {
        const auto equal = each.entries.find(masked(keys, each.mask));
        if (equal == each.entries.end()) continue;
        found_.insert(found_.end(), equal->second.begin(), equal->second.end());
        if (!equal->second.front()->lets_pass) return;
    }
}

const std::vector<const flow_rule*>& flow_table::find(const frame_keys& keys) {
    found_.clear();
    find_normal(words_of(keys));
    if (found_.empty()) {
        found_.insert(found_.end(), defaults_.begin(), defaults_.end());
        if (is_multicast(keys)) {
            found_.insert(found_.end(), multicast_defaults_.begin(), multicast_defaults_.end());
        }
    }
    found_.insert(found_.end(), sniffers_.begin(), sniffers_.end());
    return found_;
}

}  // namespace softnic
