// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "packet_builder.hpp"
#include "softnic/nic.hpp"

namespace verbcast::test {

/// A datagram on its way to a group, in a frame.
struct wire_frame {
    std::string destination = "239.255.88.1";
    std::uint16_t port = 7148;
    std::string source = "10.0.0.1";
    std::optional<std::uint16_t> vlan = {};
    bytes payload = {};

    bytes encode() const;
};

/// The other end of the software NIC's wire, which belongs to this process alone: sends frames with plain verbs.
class nic_wire {
public:
    nic_wire() { queue_.bring_to(IBV_QPS_RTS); }

    /// Returns when the frame is on the wire.
    void send(const bytes& frame);
    void send(const std::vector<bytes>& frames) {
        for (const bytes& each : frames) send(each);
    }

private:
    static constexpr std::size_t frame_bytes_max = 65536;

    nic_test::device device_;
    nic_test::memory memory_{device_, frame_bytes_max};
    nic_test::queue queue_{device_};
};

/// Gives the software NIC of this process a wire that no other has. Before its first use; a nic_wire does it too.
void use_own_wire();
/// Faults for the software NIC of this process, a line each. Before its first use.
void set_faults(const std::string& lines);

}  // namespace verbcast::test
