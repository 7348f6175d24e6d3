// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verbs/completion_queue.hpp"
#include "verbs/device.hpp"
#include "verbs/flow_rule.hpp"
#include "verbs/ip_address.hpp"
#include "verbs/raw_queue_pair.hpp"
#include "verbs/registered_memory.hpp"

namespace verbcast::verbs {

/// Where datagrams go: a multicast group, since nobody resolves MAC addresses here.
struct frame_destination {
    ip_address address;
    std::uint16_t port = 0;
    ip_address source;
    std::uint16_t source_port = 0;
    std::optional<std::uint16_t> vlan = {};
    std::uint8_t hops = 1;
};

/// Sends UDP datagrams through a raw queue pair of a NIC. One thread at a time. Nothing is allocated after
/// construction.
class frame_sender {
public:
    /// Room for `frames` datagrams of up to `datagram_bytes_max` on their way. Throws os_error.
    frame_sender(device owner, std::span<const frame_destination> destinations, std::size_t datagram_bytes_max,
                 std::size_t frames);
    /// Waits for what was sent, 100 ms at most.
    ~frame_sender();
    frame_sender(const frame_sender&) = delete;
    frame_sender& operator=(const frame_sender&) = delete;

    const device& owner() const noexcept { return device_; }

    /// Copies a datagram, given in two pieces, to be sent with the next flush(). Flushes, and waits for the device,
    /// when it has no room. Throws os_error.
    void add(std::size_t destination, std::span<const std::byte> head, std::span<const std::byte> tail);
    /// Gives the device all that was added. Throws os_error.
    void flush();

private:
    void reap(bool wait);
    void fill_lengths_and_sums(std::byte* frame, std::size_t header_bytes, std::size_t datagram_bytes) const noexcept;

    // Destroyed bottom-up.
    device device_;
    protection_domain domain_;
    registered_memory memory_;
    completion_queue completions_;
    queue_pair pair_;

    const bool device_sums_;
    std::vector<std::vector<std::byte>> headers_;  // by destination; lengths and checksums are filled in for each frame
    std::vector<ibv_sge> entries_;
    std::vector<ibv_send_wr> requests_;
    std::uint64_t added_ = 0;    // frames so far; frame n lies in slot n % slots
    std::uint64_t flushed_ = 0;  // given to the device
    std::uint64_t done_ = 0;     // sent
};

}  // namespace verbcast::verbs
