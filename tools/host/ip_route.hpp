// SPDX-License-Identifier: BSD-3-Clause
/// Addresses and the kernel's main routing table, as text. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/host/host_snapshot.hpp"

namespace verbcast::tools {

struct ip_bytes {
    std::array<std::uint8_t, 16> bytes{};  ///< 4 of them for IPv4
    bool v6 = false;

    bool multicast() const noexcept { return v6 ? bytes[0] == 0xff : (bytes[0] & 0xf0) == 0xe0; }
};

/// None when it is no numeric address.
std::optional<ip_bytes> ip_from(const std::string& text);
std::string text_of(const ip_bytes& address);

/// The MAC address of a multicast group.
std::string multicast_mac_of(const ip_bytes& group);

/// Whether an address is in "10.0.0.0" with 8 bits.
bool in_network(const ip_bytes& address, const ip_bytes& network, unsigned bits);

/// The interface by which the main routing table reaches an address; none when there is no route. The table must have
/// been read: "/proc/net/route", "/proc/net/ipv6_route".
std::optional<std::string> interface_to(const host_snapshot& raw, const ip_bytes& address);
const char* route_table_key(const ip_bytes& address);

}  // namespace verbcast::tools
