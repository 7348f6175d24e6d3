// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>

#include "verbs/device.hpp"
#include "verbs/handle.hpp"
#include "verbs/host_interface.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

/// The datagrams that a rule sends to a queue pair. Every field that is there is matched in full: partial masks are not
/// what all devices have.
struct flow_match {
    ip_address destination;
    std::uint16_t port = 0;
    std::optional<ip_address> source = {};
    std::optional<std::uint16_t> vlan = {};
    mac_address destination_mac{};
};

/// The MAC address that datagrams for a multicast group carry (RFC 1112, section 6.4; RFC 2464, section 7).
mac_address multicast_mac(const ip_address& group) noexcept;

/// A steering rule, in force as long as it lives. Its counter, where the device has one, counts the frames it matched.
class flow_rule {
public:
    /// Throws os_error.
    flow_rule(const device& owner, ibv_qp* pair, const flow_match& match, std::uint16_t priority);

    /// Frames matched so far; absent where nobody counts. A call to the device's firmware: some microseconds.
    std::optional<std::uint64_t> frames_matched() const noexcept;

private:
    // Destroyed bottom-up: counters are not destroyed while a rule uses them.
    flow_counters counters_;
    flow_handle rule_;
};

}  // namespace verbcast::verbs
