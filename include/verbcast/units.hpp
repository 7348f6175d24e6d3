// SPDX-License-Identifier: BSD-3-Clause
/// Byte counts that read themselves: `256_MiB`.
#pragma once

#include <cstdint>

namespace verbcast {
inline namespace literals {

consteval std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
consteval std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
consteval std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

}  // namespace literals
}  // namespace verbcast
