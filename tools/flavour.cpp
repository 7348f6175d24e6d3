// SPDX-License-Identifier: BSD-3-Clause
#include "flavour.hpp"

#include <charconv>

#include <fmt/format.h>

#include "command.hpp"

namespace verbcast::tools {

flavour flavour::parse(std::string_view text) {
    constexpr std::string_view prefix = "64-";
    unsigned bits = 0;
    const char* const end = text.data() + text.size();
    if (text.starts_with(prefix)) {
        const auto [rest, error] = std::from_chars(text.data() + prefix.size(), end, bits);
        if (error == std::errc{} && rest == end && bits >= 8 && bits <= 56 && bits % 8 == 0)
            return {.address_bits = bits};
    }
    throw usage_error(fmt::format("\"{}\" is not one of: 64-8, 64-16, 64-24, 64-32, 64-40, 64-48, 64-56", text));
}

std::string flavour::name() const { return fmt::format("64-{}", address_bits); }

}  // namespace verbcast::tools
