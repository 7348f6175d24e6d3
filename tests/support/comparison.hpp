// SPDX-License-Identifier: BSD-3-Clause
/// What the library decodes beside what the reference decoder does. Each function tells the first difference in words;
/// an empty string when there is none.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <verbcast/account.hpp>
#include <verbcast/descriptor.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/packet.hpp>

#include "reference_decoder.hpp"

namespace verbcast::test {

reference::octets to_octets(std::span<const std::byte> bytes);

std::string difference(const reference::packet& expected, std::optional<reject_reason> refused, const packet& decoded);
std::string difference(const reference::heap& expected, const heap& delivered);
/// Of a stream whose heaps go to a sink, incomplete ones too.
std::string difference(const reference::stream& expected, const stream_stats& counted);
std::string difference(const std::vector<reference::descriptor>& expected, const std::vector<descriptor>& decoded);

}  // namespace verbcast::test
