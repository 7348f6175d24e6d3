// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

/// What the kernel would ask of a process that uses a real device.
namespace softnic {

/// CAP_NET_RAW, in force.
bool may_use_raw_queue_pairs() noexcept;

/// True when this many more bytes may be locked: below RLIMIT_MEMLOCK, or with CAP_IPC_LOCK.
bool may_lock(std::size_t locked_bytes, std::size_t more_bytes) noexcept;

/// True when every page of the range is mapped, and writable if wanted.
bool is_mapped(const void* address, std::size_t bytes, bool writable);

}  // namespace softnic
