// SPDX-License-Identifier: BSD-3-Clause
/// What a descriptor says of an item's values, in a form that values are read by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/descriptor.hpp>

namespace verbcast {

/// Why a value, or a part of it, cannot be read.
enum class value_problem : std::uint8_t {
    none,
    type_unknown,     ///< the descriptor has no type, or one that is not known here
    shape_unknown,    ///< more than one variable dimension, or a shape that is none
    too_short,        ///< fewer bytes than the shape needs
    not_convertible,  ///< the type asked for cannot hold every value of the type there is
    no_such_field,    ///< a record has no such field, or is none
    index_out_of_range,
};
/// One line for a person.
VERBCAST_API std::string_view describe(value_problem problem) noexcept;

enum class element_kind : std::uint8_t {
    unsigned_integer,
    signed_integer,
    floating_point,  ///< IEEE 754, 32 or 64 bits
    complex,         ///< two of them
    boolean,
    character,  ///< FORMAT c: one
    text,       ///< numpy S: padded with NUL
    unicode,    ///< numpy U: 32 bits a character, padded with NUL
    raw,        ///< numpy V: bytes without a meaning
};

/// Numbers of one kind, one or several in a row. An element is one field, or a record of several.
struct element_field {
    std::string name = {};  ///< in a numpy record, OUTER.INNER where they are nested; empty elsewhere
    element_kind kind = element_kind::unsigned_integer;
    std::uint64_t bit_offset = 0;  ///< from the start of the element; bits are packed most significant first
    std::uint64_t bits = 0;        ///< of one
    std::uint64_t count = 1;       ///< more than one in numpy's arrays within records
    bool little_endian = false;

    friend bool operator==(const element_field&, const element_field&) = default;
};

/// A plain value.
struct item_type {
    /// Reads FORMAT and SHAPE, or the numpy header where there is one. What it cannot read becomes a `problem`.
    VERBCAST_API explicit item_type(descriptor described_by, compatibility mask = compatibility::none);

    descriptor source;
    std::vector<element_field> fields;
    std::uint64_t bits = 0;           ///< of one element
    std::vector<std::int64_t> shape;  ///< descriptor::variable where the value's length tells
    bool fortran_order = false;       ///< the first index varies fastest
    value_problem problem = value_problem::none;
};

}  // namespace verbcast
