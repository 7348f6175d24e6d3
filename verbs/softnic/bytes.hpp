// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

/// Big-endian numbers in a frame. The caller has checked the bounds.
namespace softnic {

inline std::uint16_t load_be16(const std::byte* at) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(at[0]) << 8 | std::to_integer<unsigned>(at[1]));
}

inline std::uint32_t load_be32(const std::byte* at) noexcept {
    return static_cast<std::uint32_t>(load_be16(at)) << 16 | load_be16(at + 2);
}

inline void store_be16(std::byte* at, std::uint16_t value) noexcept {
    at[0] = static_cast<std::byte>(value >> 8);
    at[1] = static_cast<std::byte>(value & 0xff);
}

inline void store_be32(std::byte* at, std::uint32_t value) noexcept {
    store_be16(at, static_cast<std::uint16_t>(value >> 16));
    store_be16(at + 2, static_cast<std::uint16_t>(value & 0xffff));
}

}  // namespace softnic
