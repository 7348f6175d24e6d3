// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace verbcast::tools {

/// Call first in main(). A program that was started with standard output closed would give its number to the first file
/// or socket that it opens, and write its results in there. Afterwards all three are open; using one that was closed
/// fails.
void reserve_standard_descriptors() noexcept;

}  // namespace verbcast::tools
