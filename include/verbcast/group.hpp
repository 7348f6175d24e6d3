// SPDX-License-Identifier: BSD-3-Clause
/// Where datagrams are sent to: a multicast group, or an address of this host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <verbcast/api.hpp>

namespace verbcast {

/// An address and a port, and for a source-specific group the one sender that is wanted. IPv4 or IPv6, numeric.
struct group {
    std::string address = {};
    std::uint16_t port = 0;
    std::optional<std::string> source = {};

    /// Reads "[SOURCE@]ADDRESS:PORT", an IPv6 address in brackets. Throws config_error naming `field`.
    VERBCAST_API static group parse(std::string_view text, std::string_view field = "group");
    /// "ADDRESS:PORT", IPv6 in brackets: the group's name in the account.
    VERBCAST_API std::string name() const;
    /// Throws config_error naming `field`.
    VERBCAST_API void validate(std::string_view field = "group") const;

    friend bool operator==(const group&, const group&) = default;
};

}  // namespace verbcast
