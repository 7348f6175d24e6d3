// SPDX-License-Identifier: BSD-3-Clause
/// Descriptors as senders write them: the bytes of a DESCRIPTOR item.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "packet_builder.hpp"

namespace verbcast::test {

/// A record of FORMAT or SHAPE: a byte, and an integer of `integer_bytes`.
bytes record(std::uint8_t first, std::uint64_t integer, std::size_t integer_bytes);

struct wire_descriptor {
    unsigned address_bits = 48;
    std::uint64_t id = 0x1000;
    std::string name = {};
    std::string description = {};
    std::vector<std::pair<char, std::uint64_t>> format = {};
    std::vector<std::int64_t> shape = {};  ///< -1: variable
    std::string numpy_header = {};
    unsigned compatibility_mask = 0;  ///< what the sender does that PySPEAD did

    wire_heap heap() const;
    /// One packet.
    bytes encode() const;
};

}  // namespace verbcast::test
