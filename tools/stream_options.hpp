// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/ring_stream.hpp>

#include "command.hpp"

namespace verbcast::tools {

/// The options by which inspect and recv say how packets become heaps. `target` must outlive the section.
option_section heap_options(ring_stream_config& target);

}  // namespace verbcast::tools
