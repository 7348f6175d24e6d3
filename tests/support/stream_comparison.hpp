// SPDX-License-Identifier: BSD-3-Clause
/// A real stream beside the reference, on traffic that is made from bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace verbcast::test {

/// Reads a configuration and batches of packets, most of them nearly right, from `script`: any bytes will do. Gives
/// them to a stream and to the reference, and compares after each batch the heaps delivered, byte by byte, and the
/// account. Returns the first difference in words; empty when there is none.
std::string compare_streams(std::span<const std::uint8_t> script);

}  // namespace verbcast::test
