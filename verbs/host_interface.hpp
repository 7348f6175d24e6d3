// SPDX-License-Identifier: BSD-3-Clause
/// A network interface as the kernel describes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

using mac_address = std::array<std::byte, 6>;

struct host_interface {
    std::string name;
    unsigned index = 0;
    mac_address mac{};
    /// A VLAN interface: its tag, and the interface that carries it.
    std::optional<std::uint16_t> vlan;
    std::string parent;
    /// A bond: the interfaces in it.
    std::vector<std::string> bonded;
};

/// By name, or by an address of this host. Throws os_error, which says what there is.
host_interface find_host_interface(const std::string& name_or_address);

/// The interface's first address of an IP version. Throws os_error when it has none.
ip_address address_of(const host_interface& of, ip_family family);

/// The interface's name; empty when there is none of that index.
std::string interface_name(unsigned index);

}  // namespace verbcast::verbs
