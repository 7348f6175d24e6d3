// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

/// What the device says it can do, and what it then refuses to go beyond. The sizes are those of a common 100 Gb/s NIC.
namespace softnic::limits {

inline constexpr int queue_pairs_max = 4096;
inline constexpr int requests_max = 32768;
inline constexpr int entries_max = 32;  ///< scatter or gather entries of a request
inline constexpr int completion_queues_max = 65536;
inline constexpr int completions_max = 4194303;
inline constexpr int regions_max = 1 << 20;
inline constexpr int domains_max = 32768;
inline constexpr std::uint32_t inline_bytes_max = 1024;
inline constexpr std::uint32_t segmentation_bytes_max = 65536;
inline constexpr int completion_vectors = 8;
inline constexpr std::uint8_t port = 1;

}  // namespace softnic::limits
