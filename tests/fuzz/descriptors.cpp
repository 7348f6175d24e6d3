// SPDX-License-Identifier: BSD-3-Clause
/// Any bytes as a DESCRIPTOR item, beside the reference decoder. The first byte is the compatibility mask.
#include <verbcast/descriptor.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "support/comparison.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const unsigned mask = data[0] % 8;
    const reference::octets input(data + 1, data + size);
    // A block of just this size: the sanitizer sees any read beyond it.
    const auto exact = std::make_unique<std::byte[]>(input.size());
    std::transform(input.begin(), input.end(), exact.get(), [](std::uint8_t each) { return std::byte{each}; });

    std::size_t dropped = 0;
    const auto found =
        verbcast::decode_descriptors({exact.get(), input.size()}, static_cast<verbcast::compatibility>(mask), dropped);
    const std::string wrong = verbcast::test::difference(reference::decode_descriptors(input, mask), found);
    if (wrong.empty()) return 0;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
}
