// SPDX-License-Identifier: BSD-3-Clause
/// The readers that come with verbcast, as configurations: stream.add_reader(udp_reader_config{...}).
/// Each validate() throws config_error before anything is opened, naming the field, the value and what is allowed.
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
#include <verbcast/units.hpp>

namespace verbcast {

/// Reads packets that follow one another in memory. Ends with the first thing that is not a packet. Lossless.
struct memory_reader_config {
    std::span<const std::byte> bytes = {};
    /// Keeps `bytes` alive while the reader needs them; null when the caller does.
    std::shared_ptr<const void> owner = {};

    VERBCAST_API void validate() const;
};

/// Reads the UDP datagrams in a pcap or pcapng file: Ethernet with VLAN and QinQ tags, Linux cooked v1 and v2, raw IP;
/// IPv4 and IPv6. Each destination "ADDRESS:PORT" is a group in the account. Lossless.
struct pcap_reader_config {
    std::string file = {};
    /// In the language of pcap-filter(7). Frames it does not match are not counted. Empty: all.
    std::string filter = {};
    /// Wait between datagrams as long as they were apart when recorded. Off: as fast as the stream takes them.
    bool recorded_speed = false;

    VERBCAST_API void validate() const;
};

/// Receives datagrams through sockets of the kernel: unicast or multicast, any-source or source-specific.
struct udp_reader_config {
    /// One socket each. Datagrams for a port that were sent to another address are not received.
    std::vector<group> groups = {};
    /// Where to join multicast groups: the name of an interface ("eth0"). Empty: where the kernel routes the group.
    std::string interface = {};
    /// Asked for each socket; the kernel may grant less (net.core.rmem_max), which is a warning that says what to
    /// raise.
    std::uint64_t buffer_bytes = 32_MiB;
    /// Longer datagrams are cut, and then rejected as `payload_cut`.
    std::size_t packet_bytes_max = 65535;
    /// Datagrams taken from one socket before others and the stream's other readers have their turn.
    std::size_t batch_packets_max = 1024;
    /// Let the kernel join datagrams of one size into one buffer (UDP_GRO): three times the rate at 1472 bytes. The
    /// kernel's count of what it dropped is then a lower bound.
    bool gro = true;
    /// Take the kernel's arrival time of each buffer (SO_TIMESTAMPNS). Costs some 100 ns a buffer.
    bool timestamps = true;

    VERBCAST_API void validate() const;
};

}  // namespace verbcast
