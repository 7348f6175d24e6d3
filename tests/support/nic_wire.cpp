// SPDX-License-Identifier: BSD-3-Clause
#include "nic_wire.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

#include <arpa/inet.h>
#include <unistd.h>

#include "frame_builder.hpp"
#include "temporary_file.hpp"

namespace verbcast::test {
namespace {

/// RFC 1112 and RFC 2464; for an address that is no group's, the frame's own is kept.
void set_destination_mac(bytes& frame, const std::string& destination) {
    std::array<std::byte, 16> address{};
    if (::inet_pton(AF_INET, destination.c_str(), address.data()) == 1) {
        const bytes mac = {std::byte{1}, std::byte{0}, std::byte{0x5e}, address[1] & std::byte{0x7f},
                           address[2],   address[3]};
        std::copy(mac.begin(), mac.end(), frame.begin());
    } else if (::inet_pton(AF_INET6, destination.c_str(), address.data()) == 1) {
        std::fill_n(frame.begin(), 2, std::byte{0x33});
        std::copy(address.begin() + 12, address.end(), frame.begin() + 2);
    }
}

}  // namespace

bytes wire_frame::encode() const {
    const wire_datagram datagram{
        .source = source, .destination = destination, .destination_port = port, .payload = payload};
    std::vector<wire_vlan> tags;
    if (vlan) tags.push_back({.id = *vlan});
    bytes frame = ethernet_frame(datagram.encode(), tags);
    set_destination_mac(frame, destination);
    return frame;
}

void nic_wire::send(const bytes& frame) {
    std::copy(frame.begin(), frame.end(), memory_.data.begin());
    if (queue_.post_send(0, {memory_.entry(0, frame.size())}) != 0) throw std::runtime_error("ibv_post_send");
    const std::vector<ibv_wc> done = queue_.completions(1);
    if (done.size() != 1 || done.front().status != IBV_WC_SUCCESS) throw std::runtime_error("a frame was not sent");
}

void use_own_wire() {
    ::setenv("VERBCAST_SOFTNIC_DEVICES", ("softnic0=wire:test-" + std::to_string(::getpid())).c_str(), 0);
}

void set_faults(const std::string& lines) {
    static const temporary_file file(from_text(lines));
    ::setenv("VERBCAST_SOFTNIC_FAULTS", file.name().c_str(), 1);
}

}  // namespace verbcast::test
