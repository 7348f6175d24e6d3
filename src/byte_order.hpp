// SPDX-License-Identifier: BSD-3-Clause
/// Big-endian integers in memory of any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace verbcast {

inline std::uint64_t load_big_endian(const std::byte* at) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

}  // namespace verbcast
