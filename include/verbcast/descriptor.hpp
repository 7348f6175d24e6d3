// SPDX-License-Identifier: BSD-3-Clause
/// What a sender says of an item: its name, its type and its shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <verbcast/api.hpp>

namespace verbcast {

/// What old PySPEAD senders do differently, as a mask.
enum class compatibility : std::uint8_t {
    none = 0,
    descriptor_widths = 1,  ///< FORMAT records are 1+3 bytes, SHAPE records 1+7
    shape_bit_1 = 2,        ///< SHAPE's variable flag is bit 1, not bit 0
    swap_endian = 4,        ///< numpy headers say the opposite byte order
    pyspead = 7,            ///< all of them
};
constexpr bool has(compatibility mask, compatibility flag) noexcept {
    return (static_cast<unsigned>(mask) & static_cast<unsigned>(flag)) != 0;
}

/// A field of an item's element: `character` is one of u (unsigned), i (signed), f (float), b (boolean), c (character).
struct format_field {
    char character = 'u';
    std::uint64_t bits = 0;
    friend bool operator==(const format_field&, const format_field&) = default;
};

/// A descriptor. A plain value. Strings are as they came from the network: not necessarily UTF-8.
/// A `numpy_header` that is not empty (a Python dictionary with descr, fortran_order and shape) wins over `format` and
/// `shape`.
struct descriptor {
    static constexpr std::int64_t variable = -1;  ///< a dimension whose size the value's length tells

    std::uint64_t id = 0;
    std::string name = {};
    std::string description = {};
    std::vector<format_field> format = {};
    std::vector<std::int64_t> shape = {};
    std::string numpy_header = {};

    friend bool operator==(const descriptor&, const descriptor&) = default;
};

/// The descriptors in the bytes of one DESCRIPTOR item: SPEAD packets that follow one another; a descriptor is a heap
/// of one packet, or of several in order. Adds to `dropped` what is not taken: descriptors without an immediate ID (or
/// with that of NULL) or with bytes missing, packets that fit nowhere, and a rest that is no packet. Reads only within
/// `bytes`; linear in them, but for the sorting of item pointers.
VERBCAST_API std::vector<descriptor> decode_descriptors(std::span<const std::byte> bytes, compatibility mask,
                                                        std::size_t& dropped);

}  // namespace verbcast
