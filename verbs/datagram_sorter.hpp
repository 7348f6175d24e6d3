// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "verbs/flow_rule.hpp"
#include "verbs/frame_sorter.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

/// What a datagram queue pair writes in front of each datagram: an IPv6 header, or 20 bytes of anything and an IPv4
/// header (InfiniBand Architecture Specification, annex A17).
inline constexpr std::size_t route_header_bytes = 40;

/// Finds out which group a datagram of RoCE v2 was sent to. The device has checked it whole, and took the UDP header.
/// Reads only within the slot, never throws, allocates nothing while it sorts. One thread at a time.
class datagram_sorter {
public:
    /// Destination and source count; groups are numbered from 0 in the order they are added.
    void add(const flow_match& match);

    /// `slot` is the route header and what follows it. `bad` when that header is neither.
    sorted_frame sort(std::span<const std::byte> slot) noexcept;

private:
    struct route {
        ip_address source;
        ip_address destination;
        friend bool operator==(const route&, const route&) = default;
    };
    struct address_hash {
        std::size_t operator()(const ip_address& of) const noexcept;
    };
    struct wanted {
        std::optional<ip_address> source;
        std::uint32_t rule;
    };

    static std::optional<route> route_of(std::span<const std::byte, route_header_bytes> header) noexcept;
    std::uint32_t rule_of(const route& found) const noexcept;

    std::unordered_map<ip_address, std::vector<wanted>, address_hash> groups_;
    std::uint32_t groups_so_far_ = 0;
    // Nearly every datagram is for the same group as the one before, from the same sender.
    route last_;
    std::uint32_t last_rule_ = sorted_frame::no_rule;
};

}  // namespace verbcast::verbs
