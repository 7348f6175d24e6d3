// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace softnic {

/// A network interface at one moment.
struct netdev {
    int index = 0;
    bool up = false;
    std::size_t mtu_bytes = 1500;
    std::array<std::uint8_t, 6> mac{};
    /// RoCE's names of its addresses: the link-local one made from the MAC first, then IPv4 (mapped) and IPv6.
    std::vector<ibv_gid> gids;
};

/// An interface that does not exist has index 0 and no addresses.
netdev read_netdev(const std::string& interface);

/// EUI-64 of a MAC: the device's GUID, and the second half of its link-local address.
std::array<std::uint8_t, 8> interface_identifier(const std::array<std::uint8_t, 6>& mac) noexcept;

/// True when the address, IPv4 or IPv6, belongs to the interface.
bool owns_address(const netdev& interface, const ibv_gid& address) noexcept;

}  // namespace softnic
