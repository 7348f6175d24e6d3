// SPDX-License-Identifier: BSD-3-Clause
/// Numbers for people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbcast::tools {

/// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t value);
/// 1536 -> "1.5 KiB".
std::string human_bytes(std::uint64_t bytes);
/// 423000 -> "423 k", 12 -> "12", 4.5 -> "4.5": three digits, with k, M or G.
std::string human_count(double value);
/// 75.2 -> "1:15", 3725 -> "1:02:05".
std::string human_time(double seconds);
/// "1 packet", "1,234 packets".
std::string counted(std::uint64_t value, std::string_view noun);

}  // namespace verbcast::tools
