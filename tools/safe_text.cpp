// SPDX-License-Identifier: BSD-3-Clause
#include "safe_text.hpp"

#include <cstddef>

#include <fmt/format.h>

namespace verbcast::tools {
namespace {

constexpr bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

constexpr bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

/// U+0080 to U+009F: control characters that some terminals obey.
constexpr bool is_control_of_two(std::string_view character) {
    return character.size() == 2 && static_cast<unsigned char>(character[0]) == 0xc2 &&
           static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = at(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                               : (first & 0xf0) == 0xe0         ? 3
                               : first >= 0xf0 && first <= 0xf4 ? 4
                                                                : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!continues(text[i])) return 0;
    // Too long for what it says, a surrogate, or beyond U+10FFFF.
    if (first == 0xe0 && at(1) < 0xa0) return 0;
    if (first == 0xed && at(1) > 0x9f) return 0;
    if (first == 0xf0 && at(1) < 0x90) return 0;
    if (first == 0xf4 && at(1) > 0x8f) return 0;
    return length;
}

std::string safe_text(std::string_view text, bool lines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view character = text.substr(0, length == 0 ? 1 : length);
        text.remove_prefix(character.size());
        if (length == 0)
            out += "\xef\xbf\xbd";
        else if (character[0] == '\n')
            out += lines ? "\n" : "\\n";
        else if (is_control(static_cast<unsigned char>(character[0])))
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0]));
        else if (is_control_of_two(character))
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(character[1]));
        else
            out += character;
    }
    return out;
}

}  // namespace verbcast::tools
