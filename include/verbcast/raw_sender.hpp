// SPDX-License-Identifier: BSD-3-Clause
/// Sends UDP datagrams through a queue of the NIC, past the kernel: the other end of ibv_reader_config.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/group.hpp>

namespace verbcast {

struct raw_sender_config {
    /// Multicast groups; a group's source is the address its datagrams are sent from.
    std::vector<group> groups = {};
    /// The network interface, an address of it, or its RDMA device. A VLAN interface gives its tag.
    std::string interface = {};
    /// Address to send from. Empty: the interface's first of the group's IP version.
    std::string source = {};
    std::optional<std::uint16_t> vlan = {};
    /// How many routers the datagrams may pass, plus one.
    int hops = 1;
    std::size_t packet_bytes_max = 9200;
    /// Datagrams on their way to the wire at the same time. Each costs packet_bytes_max of locked memory.
    std::size_t packets_in_flight_max = 512;

    /// Throws config_error.
    VERBCAST_API void validate() const;
};

/// Copies datagrams into the NIC's buffers and has them sent. One thread at a time.
class VERBCAST_API raw_sender {
public:
    /// Throws config_error, or std::system_error that says call, device, reason and what to do. Needs CAP_NET_RAW.
    explicit raw_sender(const raw_sender_config& config);
    /// Waits for what flush() was called for, 100 ms at most.
    ~raw_sender();
    raw_sender(const raw_sender&) = delete;
    raw_sender& operator=(const raw_sender&) = delete;

    /// A datagram for config.groups[group], made of two pieces, both of which are copied. Waits for the NIC when all
    /// its buffers are in use. Throws std::system_error.
    void add(std::size_t group, std::span<const std::byte> head, std::span<const std::byte> tail = {});
    /// Sends what was added. Throws std::system_error.
    void flush();

    /// "mlx5_0 port 1".
    std::string device() const;

private:
    class state;
    std::unique_ptr<state> state_;
};

}  // namespace verbcast
