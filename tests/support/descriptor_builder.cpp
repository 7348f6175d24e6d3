// SPDX-License-Identifier: BSD-3-Clause
#include "support/descriptor_builder.hpp"

namespace verbcast::test {

bytes record(std::uint8_t first, std::uint64_t integer, std::size_t integer_bytes) {
    return join({from_octets({first}), from_integer(integer, integer_bytes)});
}

wire_heap wire_descriptor::heap() const {
    const std::size_t address_bytes = address_bits / 8;
    const bool old_widths = (compatibility_mask & 1) != 0;
    const std::uint8_t variable_flag = (compatibility_mask & 2) != 0 ? 2 : 1;
    bytes format_bytes;
    for (const auto& [character, bits] : format) {
        const auto octet = static_cast<std::uint8_t>(character);
        format_bytes = join({format_bytes, record(octet, bits, old_widths ? 3 : 8 - address_bytes)});
    }
    bytes shape_bytes;
    for (const std::int64_t size : shape) {
        const std::uint8_t flags = size < 0 ? variable_flag : std::uint8_t{0};
        const std::uint64_t length = size < 0 ? 0 : static_cast<std::uint64_t>(size);
        shape_bytes = join({shape_bytes, record(flags, length, old_widths ? 7 : address_bytes)});
    }
    return {.address_bits = address_bits,
            .values = {{0x10, from_text(name)},
                       {0x11, from_text(description)},
                       {0x12, shape_bytes},
                       {0x13, format_bytes},
                       {0x15, from_text(numpy_header)}},
            .immediates = {immediate(0x14, id)}};
}

bytes wire_descriptor::encode() const { return heap().split({.packet_bytes_max = 1 << 20}).front().encode(); }

}  // namespace verbcast::test
