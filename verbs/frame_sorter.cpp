// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame_sorter.hpp"

#include <algorithm>

namespace verbcast::verbs {

std::size_t frame_sorter::destination_hash::operator()(const destination& of) const noexcept {
    constexpr std::uint64_t mixer = 0x9e3779b97f4a7c15;
    const std::uint64_t words =
        load<std::uint64_t>(of.address.bytes.data()) ^ load<std::uint64_t>(&of.address.bytes[8]) ^ of.port;
    return (words * mixer) >> 16;
}

void frame_sorter::add(const flow_match& match) {
    std::vector<wanted>& here = rules_[{match.destination, match.port}];
    // Those that ask for more come first.
    const wanted added{match.source, match.vlan, rules_so_far_++};
    const auto less_particular = [&](const wanted& each) { return added.source && !each.source; };
    here.insert(std::find_if(here.begin(), here.end(), less_particular), added);
    repeat_ = {};
}

std::uint32_t frame_sorter::rule_of(const udp_frame& found) const noexcept {
    const auto here = rules_.find({found.destination, found.destination_port});
    if (here == rules_.end()) return sorted_frame::no_rule;
    for (const wanted& each : here->second)
        if ((!each.source || *each.source == found.source) && (!each.vlan || each.vlan == found.vlan)) return each.rule;
    return sorted_frame::no_rule;
}

sorted_frame frame_sorter::parse(std::span<const std::byte> frame, checksum_check checksums) noexcept {
    udp_frame found;
    const frame_kind kind = parse_frame(link_layer::ethernet, frame, frame.size(), checksums, found);
    sorted_frame result{.kind = kind};
    if (found.destination_port != 0) result.rule = rule_of(found);
    if (kind != frame_kind::udp) return result;
    result.payload = found.payload.data();
    result.payload_bytes = static_cast<std::uint32_t>(found.payload.size());
    const bool is_plain = !found.vlan && found.payload.data() == frame.data() + plain_header_bytes &&
                          found.destination.family == ip_family::v4;
    if (is_plain && result.rule != sorted_frame::no_rule) {
        repeat_ = plain_header_of(frame.data());
        repeat_.rule = result.rule;
    }
    return result;
}

}  // namespace verbcast::verbs
