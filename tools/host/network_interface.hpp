// SPDX-License-Identifier: BSD-3-Clause
/// Network interfaces as this network namespace has them. Not from sysfs, which may show another namespace's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/json_output.hpp"

namespace verbcast::tools {

struct network_interface {
    struct ring_sizes {
        std::uint32_t receive = 0;
        std::uint32_t receive_max = 0;
    };
    struct pause_frames {
        bool receive = false;
        bool send = false;
    };

    std::string name = {};
    int index = 0;
    int mtu = 0;
    bool up = false;
    bool carrier = false;
    bool loopback = false;
    bool multicast = false;
    std::string mac = {};
    std::vector<std::string> addresses = {};
    std::string driver = {};
    std::string bus = {};                        ///< PCI address; empty for software interfaces
    std::vector<std::string> below = {};         ///< what a VLAN or a bond is made of
    std::optional<std::uint32_t> megabits = {};  ///< of the port; none when it does not say
    std::optional<ring_sizes> rings = {};        ///< none when the driver has none to set
    std::optional<pause_frames> pause = {};      ///< none when the driver has none to set
};

/// All of them, asked of the kernel. Throws std::system_error.
std::vector<network_interface> read_interfaces();

json to_json(const std::vector<network_interface>& interfaces);
/// Throws json::exception.
std::vector<network_interface> interfaces_from_json(const json& list);

}  // namespace verbcast::tools
