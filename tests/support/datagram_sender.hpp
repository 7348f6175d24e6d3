// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "packet_builder.hpp"

namespace verbcast::test {

/// Where datagrams are sent to, and from where.
struct sender_config {
    std::string address;
    std::uint16_t port = 7148;
    std::string interface = {};  ///< for multicast and link-local addresses
    std::string source = {};     ///< the address to send from; empty: the kernel's choice
};

/// A plain sender. Throws std::system_error. Waits where the socket's buffer is full.
class datagram_sender {
public:
    explicit datagram_sender(const sender_config& config);
    ~datagram_sender();
    datagram_sender(const datagram_sender&) = delete;
    datagram_sender& operator=(const datagram_sender&) = delete;

    void send(const bytes& payload) const;
    /// Datagrams of `segment_bytes` each, the last one of what is left, as one send (UDP_SEGMENT).
    void send_joined(const bytes& payload, std::size_t segment_bytes) const;

private:
    int socket_ = -1;
};

}  // namespace verbcast::test
