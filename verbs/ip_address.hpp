// SPDX-License-Identifier: BSD-3-Clause
/// An IPv4 or IPv6 address, as it stands in a frame and in a socket's address.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <netinet/in.h>
#include <sys/socket.h>

namespace verbcast::verbs {

enum class ip_family : std::uint8_t { none, v4, v6 };

/// A plain value. An IPv4 address is in the first 4 bytes, and the others are zero.
struct ip_address {
    std::array<std::byte, 16> bytes{};
    ip_family family = ip_family::none;

    /// Numeric, without brackets or a zone; nothing when `text` is not such an address.
    static std::optional<ip_address> from_string(std::string_view text);
    /// The one way to write this address (RFC 5952 for IPv6).
    std::string to_string() const;

    bool is_multicast() const noexcept;
    bool is_unspecified() const noexcept;
    /// IPv6, and means nothing without an interface: fe80::/10, ff01::/16 and ff02::/16.
    bool needs_interface() const noexcept;
    /// An IPv4 address in the clothes of IPv6 (::ffff:0:0/96).
    bool is_v4_mapped() const noexcept;

    friend bool operator==(const ip_address&, const ip_address&) = default;
    friend bool operator<(const ip_address& left, const ip_address& right) noexcept {
        return std::tie(left.family, left.bytes) < std::tie(right.family, right.bytes);
    }
};

/// "ADDRESS:PORT", IPv6 in brackets.
std::string to_string(const ip_address& address, std::uint16_t port);

/// The address as system calls take it, and its length there.
struct socket_address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
socket_address to_socket_address(const ip_address& address, std::uint16_t port, unsigned interface_index) noexcept;

}  // namespace verbcast::verbs
