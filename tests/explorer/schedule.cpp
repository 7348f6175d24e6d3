// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/schedule.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include <fmt/format.h>

namespace verbcast::explorer {

namespace {

constexpr std::size_t repeats_max = 100'000;

template <class Number>
Number take_number(std::string_view& text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) throw std::invalid_argument(fmt::format("not a schedule from here on: \"{}\"", text));
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take(std::string_view& text, char expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::string write_schedule(std::span<const option> chosen) {
    std::string text;
    for (std::size_t i = 0; i < chosen.size();) {
        std::size_t end = i + 1;
        while (end < chosen.size() && chosen[end] == chosen[i]) ++end;
        if (i > 0) text += '.';
        text += std::to_string(chosen[i].thread);
        if (chosen[i].timeout) text += '!';
        if (end - i > 1) text += fmt::format("x{}", end - i);
        i = end;
    }
    return text;
}

std::vector<option> read_schedule(std::string_view text) {
    std::vector<option> chosen;
    while (!text.empty()) {
        option each;
        each.thread = take_number<std::uint8_t>(text);
        each.timeout = take(text, '!');
        const std::size_t repeats = take(text, 'x') ? take_number<std::size_t>(text) : 1;
        if (repeats > repeats_max) throw std::invalid_argument("a schedule of too many steps");
        chosen.insert(chosen.end(), repeats, each);
        if (!take(text, '.') && !text.empty())
            throw std::invalid_argument(fmt::format("not a schedule from here on: \"{}\"", text));
    }
    return chosen;
}

}  // namespace verbcast::explorer
