// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbcast::tools {

/// SPEAD-64-XX: how the 64 bits of an item pointer are divided. XX is the width of a heap address, 8 to 56 bits in
/// whole bytes; a bit says immediate; the rest is the item's id.
struct flavour {
    unsigned address_bits = 48;

    /// Reads "64-48". Throws usage_error.
    static flavour parse(std::string_view text);
    std::string name() const;

    /// The largest heap address, heap length, cnt and immediate value.
    std::uint64_t address_max() const noexcept { return (std::uint64_t{1} << address_bits) - 1; }
    std::uint64_t id_max() const noexcept { return (std::uint64_t{1} << (63 - address_bits)) - 1; }
    unsigned address_bytes() const noexcept { return address_bits / 8; }

    /// Ids of the items that `send` makes: users' ids begin at 0x1000 where that fits, at 0x40 where it does not.
    std::uint64_t data_id() const noexcept { return id_max() >= 0x1000 ? 0x1000 : 0x40; }
    std::uint64_t position_id() const noexcept { return id_max() >= 0x1600 ? 0x1600 : 0x41; }
};

}  // namespace verbcast::tools
