// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "counted.hpp"

#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace softnic {

struct protection_domain;

/// A registered region. The user's `ibv_mr *` is this object.
struct memory_region : ibv_mr, counted {
    std::uint64_t iova = 0;  ///< the address that work requests give for the first byte
    unsigned access = 0;
    std::size_t locked_bytes = 0;
};

/// The keys of a device's regions. Changed only while neither the receiving nor the sending side runs.
class memory_table {
public:
    void add(memory_region& region);
    void remove(const memory_region& region) noexcept;

    /// The memory that a scatter or gather entry names; null when the key is unknown, of another domain, without the
    /// access that is needed, or when the bytes are not all inside.
    std::byte* resolve(const ibv_sge& entry, const ibv_pd* domain, unsigned access_needed) const noexcept;

private:
    struct slot {
        memory_region* region = nullptr;
        std::uint8_t tag = 0;  ///< changes with each use, so that a stale key is caught
    };
    std::vector<slot> slots_;
};

}  // namespace softnic
