// SPDX-License-Identifier: BSD-3-Clause
/// Payload that knows its place. Byte `i` of a heap's data depends on the heap's cnt and on `i` alone, so that a
/// receiver can check it without having seen what was sent, and bytes of another place or of another heap are found.
///
/// Word w (8 bytes, little-endian) of heap `cnt` is mix(cnt) + (w + 1) * 0x9e3779b97f4a7c15, where mix is the finaliser
/// of SplitMix64. Pure; some 10 GB/s.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace verbcast::tools {

/// Writes the data of heap `cnt` from its byte 0.
void fill_pattern(std::uint64_t cnt, std::span<std::byte> data) noexcept;

/// The first byte of `data` that is not the pattern's; none when all are.
std::optional<std::size_t> pattern_mismatch(std::uint64_t cnt, std::span<const std::byte> data) noexcept;

}  // namespace verbcast::tools
