// SPDX-License-Identifier: BSD-3-Clause
/// Results for programs: JSON, one object a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <verbcast/account.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/placement.hpp>

namespace verbcast::tools {

/// Keeps its keys in the order they were put in.
using json = nlohmann::ordered_json;

/// A heap in the shape of the captures' manifest: each addressed item with the CRC-32 of its bytes.
json heap_object(const heap& each);

/// What --stats and the last line of recv show.
json stats_object(const stream_stats& stats);

/// "node", "machine" or "unknown".
std::string_view locality_name(topology::locality where);
/// What recv reports of where it runs, and topo proposes.
json placement_object(const placement_report& report);

/// One line; bytes that are not UTF-8 become U+FFFD.
std::string json_line(const json& object);

/// Writes one line to stdout and flushes it. Throws std::system_error when it cannot be written.
void print_json(const json& object);

/// Writes text to stdout and flushes it. Throws std::system_error when it cannot be written.
void print_text(std::string_view text);

/// zlib's CRC-32.
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace verbcast::tools
