// SPDX-License-Identifier: BSD-3-Clause
/// From the text behind an option to its value. All throw usage_error with what is allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command.hpp"

namespace verbcast::tools {

/// A whole number, decimal or 0x hexadecimal.
std::uint64_t parse_count(std::string_view text, std::uint64_t least, std::uint64_t most);
/// A whole number of bytes: 65536, 64KiB, 9kB, 1MiB, 2GiB.
std::uint64_t parse_bytes(std::string_view text, std::uint64_t least, std::uint64_t most);
/// A decimal number that is finite.
double parse_number(std::string_view text, double least, double most);
/// Seconds above 0, with decimals.
std::chrono::nanoseconds parse_seconds(std::string_view text);
/// Numbers of cores and ranges of them: "0,2-3", below `count`.
std::vector<int> parse_cores(std::string_view text, int count);

// Setters. `target` must outlive them.

inline option_setter into_flag(bool& target, bool value = true) {
    return [&target, value](const std::string&) { target = value; };
}
inline option_setter into_text(std::string& target) {
    return [&target](const std::string& text) {
        if (text.empty()) throw usage_error("must not be empty");
        target = text;
    };
}
/// The type of a number that an option sets, which may be unset before.
template <class Target>
struct number_in {
    using type = Target;
};
template <class Number>
struct number_in<std::optional<Number>> {
    using type = Number;
};
/// `most` must fit the target.
template <class Target>
option_setter into_count(Target& target, std::uint64_t least,
                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
    return [&target, least, most](const std::string& text) {
        target = static_cast<typename number_in<Target>::type>(parse_count(text, least, most));
    };
}
template <class Target>
option_setter into_bytes(Target& target, std::uint64_t least, std::uint64_t most = std::uint64_t{1} << 62) {
    return [&target, least, most](const std::string& text) { target = parse_bytes(text, least, most); };
}
inline option_setter into_seconds(std::optional<std::chrono::nanoseconds>& target) {
    return [&target](const std::string& text) { target = parse_seconds(text); };
}

/// One of a few words.
template <class Value>
using choices = std::vector<std::pair<std::string, Value>>;

template <class Target, class Value>
option_setter into_choice(Target& target, choices<Value> allowed) {
    return [&target, allowed = std::move(allowed)](const std::string& text) {
        std::string words;
        for (const auto& [word, value] : allowed) {
            if (word == text) {
                target = value;
                return;
            }
            words += (words.empty() ? "" : ", ") + word;
        }
        throw usage_error("\"" + text + "\" is not one of: " + words);
    };
}

}  // namespace verbcast::tools
