// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/datagram_sorter.hpp"

#include <algorithm>
#include <cstring>

namespace verbcast::verbs {
namespace {

constexpr std::size_t ipv4_at = 20;
constexpr std::size_t ipv4_bytes = 20;

ip_address address_at(const std::byte* at, ip_family family) noexcept {
    ip_address result{.family = family};
    std::copy_n(at, family == ip_family::v4 ? 4 : 16, result.bytes.begin());
    return result;
}

/// RFC 1071: a header with its checksum in place adds up to all ones.
bool adds_up(const std::byte* header) noexcept {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < ipv4_bytes; i += 2)
        sum += std::to_integer<std::uint32_t>(header[i]) << 8 | std::to_integer<std::uint32_t>(header[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

}  // namespace

std::size_t datagram_sorter::address_hash::operator()(const ip_address& of) const noexcept {
    std::uint64_t words[2];
    std::memcpy(words, of.bytes.data(), sizeof words);
    constexpr std::uint64_t mixer = 0x9e3779b97f4a7c15;
    return ((words[0] ^ words[1]) * mixer) >> 16;
}

void datagram_sorter::add(const flow_match& match) {
    std::vector<wanted>& here = groups_[match.destination];
    // Those that ask for more come first.
    const wanted added{match.source, groups_so_far_++};
    here.insert(match.source ? here.begin() : here.end(), added);
    last_ = {};
}

std::optional<datagram_sorter::route>
datagram_sorter::route_of(std::span<const std::byte, route_header_bytes> header) noexcept {
    const bool may_be_v6 = std::to_integer<unsigned>(header[0]) >> 4 == 6;
    const bool may_be_v4 = header[ipv4_at] == std::byte{0x45};  // RoCE v2 has no options
    if (may_be_v4 && (!may_be_v6 || adds_up(&header[ipv4_at])))
        return route{address_at(&header[32], ip_family::v4), address_at(&header[36], ip_family::v4)};
    if (may_be_v6) return route{address_at(&header[8], ip_family::v6), address_at(&header[24], ip_family::v6)};
    return {};
}

std::uint32_t datagram_sorter::rule_of(const route& found) const noexcept {
    const auto here = groups_.find(found.destination);
    if (here == groups_.end()) return sorted_frame::no_rule;
    for (const wanted& each : here->second)
        if (!each.source || *each.source == found.source) return each.rule;
    return sorted_frame::no_rule;
}

sorted_frame datagram_sorter::sort(std::span<const std::byte> slot) noexcept {
    if (slot.size() < route_header_bytes) return {};
    const std::optional<route> found = route_of(slot.first<route_header_bytes>());
    if (!found) return {};
    if (*found != last_) {
        last_ = *found;
        last_rule_ = rule_of(*found);
    }
    const std::span<const std::byte> payload = slot.subspan(route_header_bytes);
    return {payload.data(), static_cast<std::uint32_t>(payload.size()), last_rule_, frame_kind::udp};
}

}  // namespace verbcast::verbs
