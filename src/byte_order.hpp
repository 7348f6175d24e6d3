// SPDX-License-Identifier: BSD-3-Clause
/// Big-endian integers in memory of any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace verbcast {

/// Eight bytes as they stand, to compare.
inline std::uint64_t load_wire(const std::byte* at) noexcept {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline std::uint64_t load_big_endian(const std::byte* at) noexcept {
    static_assert(std::endian::native == std::endian::little);
    return __builtin_bswap64(load_wire(at));
}

}  // namespace verbcast
