// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/bad_datagrams.hpp"

namespace verbcast::test {
namespace {

constexpr std::size_t headers_bytes = 20;

bytes changed(bytes datagram, std::size_t at, unsigned bits) {
    datagram.at(at) ^= static_cast<std::byte>(bits);
    return datagram;
}

bytes cut(bytes datagram, std::size_t size) {
    datagram.resize(size);
    return datagram;
}

}  // namespace

std::vector<bad_datagram> bad_datagrams(const roce_route& route, const bytes& payload) {
    const bytes unsealed = roce_packet{.payload = payload}.encode_unsealed();
    const bytes good = seal(unsealed, route);
    const auto changed_before = [&](std::size_t at, unsigned bits) { return seal(changed(unsealed, at, bits), route); };
    const roce_packet wrong_key{.queue_key = default_queue_key + 1, .payload = payload};
    const roce_packet no_such_pair{.queue_pair = 0xfffff0, .payload = payload};
    return {
        {"a wrong checksum", changed(good, good.size() - 1, 1)},
        {"a payload that is not the checksum's", changed(good, headers_bytes, 1)},
        {"another key", wrong_key.encode(route)},
        {"a queue pair that nobody has", no_such_pair.encode(route)},
        {"an operation of connected queue pairs", changed_before(0, 0x60)},
        {"a partition that is not the port's", changed_before(2, 1)},
        {"another version of the transport", changed_before(1, 1)},
        {"cut in the payload", cut(good, good.size() - 4)},
        {"cut in the datagram header", cut(good, headers_bytes - 2)},
        {"cut in the transport header", cut(good, 8)},
        {"one byte", cut(good, 1)},
        {"nothing", {}},
    };
}

}  // namespace verbcast::test
