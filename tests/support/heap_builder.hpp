// SPDX-License-Identifier: BSD-3-Clause
/// Finished heaps without a stream.
#pragma once

#include <vector>

#include <verbcast/heap.hpp>

#include "support/packet_builder.hpp"

namespace verbcast::test {

/// The heap that these packets make, whole or not, whatever their order. They must belong to one heap.
heap_ref make_heap(const std::vector<bytes>& packets, compatibility mask = compatibility::none);
heap_ref make_heap(const wire_heap& source, compatibility mask = compatibility::none);

}  // namespace verbcast::test
