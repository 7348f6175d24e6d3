// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "softroce/roce_packet.hpp"
#include "verbs/file_descriptor.hpp"

namespace verbcast::test {

/// A plain UDP socket of another host (the network namespace `peer`), which speaks RoCE v2 by hand. One thread.
class roce_socket {
public:
    /// To a multicast group or an address of this host. `source` is another address of the peer's interface.
    explicit roce_socket(const std::string& destination, const std::string& source = "10.99.0.2");

    void send(const roce_packet& packet) { send_raw(packet.encode(route_)); }
    /// A payload as the harness's sender has it.
    void send(const bytes& payload) { send(roce_packet{.payload = payload}); }
    /// The bytes of a datagram, whatever they are.
    void send_raw(const bytes& datagram);
    const roce_route& route() const noexcept { return route_; }

private:
    roce_route route_;
    verbs::file_descriptor socket_;
};

/// Runs ip(8) on the other host.
void ip_of_peer(const std::string& arguments);

}  // namespace verbcast::test
