// SPDX-License-Identifier: BSD-3-Clause
/// What virtual threads free is filled with a pattern and kept until the run has ended: who reads it meets nonsense,
/// and whoever writes to it is found out. Works through operator new and delete, for all of the test program; not in
/// builds with AddressSanitizer, which does the same and better.
#pragma once

namespace verbcast::explorer::quarantine {

/// Gives the memory back. False when someone wrote to it. Between runs.
bool release() noexcept;

}  // namespace verbcast::explorer::quarantine
