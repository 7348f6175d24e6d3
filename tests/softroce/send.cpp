// SPDX-License-Identifier: BSD-3-Clause
// Sends heaps of one packet each to a group of a RoCE v2 network, as a program of rxe1 or as a plain UDP socket of the
// other host.
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "softroce/bad_datagrams.hpp"
#include "softroce/roce_socket.hpp"
#include "softroce/verbs_sender.hpp"

using namespace verbcast::test;

namespace {

constexpr const char* usage = R"(Usage: roce_send verbs|socket|bad GROUP HEAPS [BYTES]
  verbs   from rxe1, with the verbs
  socket  from the namespace `peer`, with a UDP socket that speaks RoCE v2 by hand
  bad     so too, but each heap once for each thing that can be wrong with a packet
BYTES of payload in each heap (default 64). A stop heap follows, except after bad ones.
)";

bytes heap(std::uint64_t cnt, std::size_t payload_bytes) {
    return wire_packet{.heap_cnt = cnt,
                       .heap_length = payload_bytes,
                       .items = {addressed(0x1000, 0)},
                       .payload = pattern(payload_bytes, cnt)}
        .encode();
}

void send(const std::function<void(const bytes&)>& one, std::uint64_t heaps, std::size_t payload_bytes) {
    for (std::uint64_t cnt = 1; cnt <= heaps; ++cnt) one(heap(cnt, payload_bytes));
}

void run(const std::string& how, const std::string& group, std::uint64_t heaps, std::size_t payload_bytes) {
    if (how == "verbs") {
        verbs_sender sender(group);
        send([&](const bytes& each) { sender.send(each); }, heaps, payload_bytes);
        return sender.send(stop_packet(heaps + 1).encode());
    }
    roce_socket socket(group);
    if (how == "socket") {
        send([&](const bytes& each) { socket.send(each); }, heaps, payload_bytes);
        return socket.send(stop_packet(heaps + 1).encode());
    }
    const auto send_bad = [&](const bytes& payload) {
        for (const bad_datagram& each : bad_datagrams(socket.route(), payload)) socket.send_raw(each.datagram);
    };
    send(send_bad, heaps, payload_bytes);
}

}  // namespace

int main(int count, char** arguments) {
    const std::string how = count > 1 ? arguments[1] : "";
    if (count < 4 || count > 5 || (how != "verbs" && how != "socket" && how != "bad")) {
        std::cerr << usage;
        return 2;
    }
    try {
        run(how, arguments[2], std::strtoull(arguments[3], nullptr, 10),
            count == 5 ? std::strtoull(arguments[4], nullptr, 10) : 64);
    } catch (const std::exception& error) {
        std::cerr << "roce_send: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
