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
#include <verbcast/placement.hpp>
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
    /// Where receive buffers lie. Unset: with the memory of the stream.
    std::optional<placement> place = {};

    VERBCAST_API void validate() const;
};

/// Receives straight from a queue of the NIC (libibverbs), past the kernel: frames of any sender, for which the NIC
/// gets a rule for each group, or datagrams of RoCE v2 senders. Needs as much locked memory as the buffer, and
/// CAP_NET_RAW for frames.
struct ibv_reader_config {
    enum class queue_transport : std::uint8_t {
        raw,  ///< Ethernet frames (a RAW_PACKET queue pair): what sockets send
        ud,   ///< datagrams of RoCE v2 (a UD queue pair), soft-RoCE too: what UD queue pairs send to a multicast group
    };
    /// Whose checksums are looked at.
    enum class checksum_policy : std::uint8_t {
        nic,     ///< the NIC's verdict; a datagram it does not vouch for is checked. None where the NIC does not check.
        always,  ///< each datagram is read in full for it
        none,
    };

    /// What to receive. Groups are joined on the interface; an address that is no group's must be the interface's own.
    /// With `ud` groups only, each once: RoCE v2 has one UDP port for all, and whatever port is written here means it.
    std::vector<group> groups = {};
    /// The network interface ("eth0"), an address of it, or its RDMA device ("mlx5_0"). A VLAN interface gives its tag.
    std::string interface = {};
    queue_transport transport = queue_transport::raw;
    /// With `ud`: the queue key, a number that its senders use too. Datagrams with another are not delivered.
    std::uint32_t queue_key = 0x11111111;
    /// Receive datagrams with this VLAN tag only. Unset: the interface's, and without one whatever tag they have. Not
    /// with `ud`, which has the interface's.
    std::optional<std::uint16_t> vlan = {};
    /// Memory for frames that wait to be taken: locked, in huge pages where some are reserved. A device takes a limited
    /// number of them (often 32768), whatever their size; a warning says when that is less than was asked for.
    std::uint64_t buffer_bytes = 64_MiB;
    /// The largest datagram. Longer ones are counted as `too_long`. Each frame in the buffer takes as much; with `ud`
    /// as much as the port's active MTU, which must not be less. Unset: 9200, with `ud` that MTU.
    std::optional<std::size_t> packet_bytes_max = {};
    /// Which of the NIC's interrupts wakes the reader: 0 and up to what the device has.
    int completion_vector = 0;
    /// Never wait for an interrupt: lowest latency, and a core that is always busy.
    bool polling = false;
    /// Looks at the queue before others on the same thread have their turn, each for up to 64 frames.
    std::size_t poll_rounds_max = 16;
    /// Of the NIC's rules; lower comes first. Rules of other programs with a lower one take frames away.
    std::uint16_t steering_priority = 0;
    /// Take the NIC's arrival time of each frame, where it has a clock.
    bool timestamps = true;
    checksum_policy checksums = checksum_policy::nic;

    VERBCAST_API void validate() const;
};

}  // namespace verbcast
