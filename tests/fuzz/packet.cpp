// SPDX-License-Identifier: BSD-3-Clause
/// Any bytes, decoded as a packet and as a datagram, beside the reference decoder.
#include <verbcast/packet.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "support/comparison.hpp"

namespace {

using decoder = std::optional<verbcast::reject_reason> (*)(std::span<const std::byte>, verbcast::packet&) noexcept;
using reference_decoder = reference::packet (*)(const reference::octets&);

void compare(decoder decode, reference_decoder expect, const reference::octets& input) {
    // A block of just this size: the sanitizer sees any read beyond it.
    const auto exact = std::make_unique<std::byte[]>(input.size());
    std::transform(input.begin(), input.end(), exact.get(), [](std::uint8_t each) { return std::byte{each}; });
    verbcast::packet out;
    const auto refused = decode({exact.get(), input.size()}, out);
    const std::string wrong = verbcast::test::difference(expect(input), refused, out);
    if (wrong.empty()) return;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const reference::octets input(data, data + size);
    compare(verbcast::decode_packet, reference::decode_packet, input);
    compare(verbcast::decode_datagram, reference::decode_datagram, input);
    return 0;
}
