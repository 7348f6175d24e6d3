// SPDX-License-Identifier: BSD-3-Clause
/// What this process may do: capabilities and locked memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace verbcast::verbs {

/// Whether the capability (linux/capability.h) is in the effective set of this thread.
bool has_capability(int capability) noexcept;

/// Memory that a device works on is locked, and RLIMIT_MEMLOCK bounds it for who has not CAP_IPC_LOCK.
struct locked_memory {
    std::uint64_t in_use_bytes = 0;            ///< pinned for devices already (VmPin)
    std::optional<std::uint64_t> limit_bytes;  ///< absent: no limit
};
locked_memory read_locked_memory();

/// What to tell a user whose `wanted_bytes` more are too many: needed, allowed, and the lines that raise it. Nothing
/// when they are not.
std::optional<std::string> locked_memory_shortage(const locked_memory& now, std::uint64_t wanted_bytes);

}  // namespace verbcast::verbs
