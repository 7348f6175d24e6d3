// SPDX-License-Identifier: BSD-3-Clause
/// The Python literals that numpy headers are written in: strings, integers, booleans, tuples, lists, dictionaries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbcast {

struct python_literal {
    enum class kind { text, integer, boolean, sequence, dictionary };

    kind what = kind::text;
    std::string text = {};
    std::int64_t integer = 0;  // 0 or 1 for a boolean
    /// Of a sequence; of a dictionary keys and values in turn.
    std::vector<python_literal> parts = {};

    bool is(kind asked) const noexcept { return what == asked; }
    /// The value of a text key in a dictionary, the last where there are several; null when there is none.
    const python_literal* find(std::string_view key) const noexcept;
};

/// Nothing when `source` is not one literal from end to end, nests deeper than a header has reason to, or is longer.
std::optional<python_literal> parse_python_literal(std::string_view source);

}  // namespace verbcast
