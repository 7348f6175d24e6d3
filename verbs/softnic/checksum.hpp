// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frame_keys.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

/// The Internet checksum (RFC 1071) of frames.
namespace softnic {

/// One's complement sum of the bytes as big-endian 16-bit words, folded to 16 bits; `sum` continues an earlier one over
/// an even number of bytes.
std::uint16_t internet_sum(std::span<const std::byte> bytes, std::uint32_t sum = 0) noexcept;

/// True when the frame is UDP or TCP over IP and its checksums hold: the IPv4 header's and the transport's. A UDP
/// datagram over IPv4 without a checksum holds.
bool checksums_hold(std::span<const std::byte> frame, const frame_layers& layers) noexcept;

/// Computes the IPv4 header checksum and the UDP or TCP checksum of a frame and stores them.
void finish_checksums(std::span<std::byte> frame) noexcept;

/// Finishes one checksum that the kernel left open: the sum from `start` to the end, stored at `start + offset`.
void finish_partial_checksum(std::span<std::byte> frame, std::size_t start, std::size_t offset) noexcept;

}  // namespace softnic
