// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace softnic {

enum class cable_kind : std::uint8_t { wire, netdev };

struct device_configuration {
    std::string name;
    cable_kind cable = cable_kind::wire;
    std::string wire;              ///< name of the wire; empty for a network interface
    std::string interface = "lo";  ///< the interface on the cable, or the one a wire's addresses are looked up on
    bool keeps_accounts = false;   ///< of queue pairs that are gone, each by itself: for the truth
};

/// What the environment asks for. Read once, when the library is first used.
struct configuration {
    std::vector<device_configuration> devices;
    bool strict = false;  ///< CAP_NET_RAW and RLIMIT_MEMLOCK hold on a wire too
    std::string faults_file;
    std::string truth_folder;
    std::string runtime_folder;
};

/// Reads `NAME=CABLE[,OPTION..][;NAME=CABLE..]`. Throws std::invalid_argument, naming the part that is wrong.
std::vector<device_configuration> parse_devices(std::string_view text);

/// Throws std::invalid_argument.
configuration configuration_from_environment();

}  // namespace softnic
