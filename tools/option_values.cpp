// SPDX-License-Identifier: BSD-3-Clause
#include "option_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include <fmt/format.h>

namespace verbcast::tools {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::string allowed_range(std::uint64_t least, std::uint64_t most) {
    return most == unlimited ? fmt::format("{} or more", least) : fmt::format("{} to {}", least, most);
}

/// The number at the front of `text`, which it is taken off. No sign, no white space.
template <class Number, class... Format>
std::optional<Number> take_number(std::string_view& text, Format... format) {
    Number value{};
    if (text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, format...);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::optional<std::uint64_t> unit_bytes(std::string_view unit) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 9> units{{
        {"", 1},
        {"B", 1},
        {"kB", 1000},
        {"MB", 1000'000},
        {"GB", 1000'000'000},
        {"KiB", 1ULL << 10},
        {"MiB", 1ULL << 20},
        {"GiB", 1ULL << 30},
        {"TiB", 1ULL << 40},
    }};
    const auto found = std::find_if(units.begin(), units.end(), [&](const auto& each) { return each.first == unit; });
    if (found == units.end()) return std::nullopt;
    return found->second;
}

}  // namespace

std::uint64_t parse_count(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::string_view rest = text;
    const bool hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
    if (hexadecimal) rest.remove_prefix(2);
    const auto value = take_number<std::uint64_t>(rest, hexadecimal ? 16 : 10);
    if (!value || !rest.empty() || *value < least || *value > most)
        throw usage_error(fmt::format("\"{}\" is not a whole number, {}", text, allowed_range(least, most)));
    return *value;
}

std::uint64_t parse_bytes(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::string_view rest = text;
    const auto value = take_number<std::uint64_t>(rest, 10);
    const auto unit = unit_bytes(rest);
    if (!value || !unit)
        throw usage_error(
            fmt::format("\"{}\" is not a number of bytes, such as 65536, 9kB, 64KiB, 1MiB or 2GiB", text));
    if (*value > unlimited / *unit || *value * *unit < least || *value * *unit > most)
        throw usage_error(fmt::format("{} is out of range: {} bytes", text, allowed_range(least, most)));
    return *value * *unit;
}

double parse_number(std::string_view text, double least, double most) {
    std::string_view rest = text;
    const auto value = take_number<double>(rest);
    if (!value || !rest.empty() || !std::isfinite(*value) || *value < least || *value > most)
        throw usage_error(fmt::format("\"{}\" is not a number, {} to {}", text, least, most));
    return *value;
}

std::chrono::nanoseconds parse_seconds(std::string_view text) {
    constexpr double year = 366.0 * 24 * 3600;
    const double seconds = parse_number(text, 0, year);
    const auto rounded = std::chrono::nanoseconds(std::llround(seconds * 1e9));
    if (rounded.count() == 0) throw usage_error(fmt::format("\"{}\" is no time: seconds above 0", text));
    return rounded;
}

std::vector<int> parse_cores(std::string_view text, int count) {
    std::vector<int> cores;
    std::string_view rest = text;
    const auto fail = [&] {
        return usage_error(
            fmt::format("\"{}\" is no list of cores, such as 0,2-3; this machine has 0 to {}", text, count - 1));
    };
    while (true) {
        const auto first = take_number<int>(rest, 10);
        if (!first || *first >= count) throw fail();
        int last = *first;
        if (rest.starts_with('-')) {
            rest.remove_prefix(1);
            const auto end = take_number<int>(rest, 10);
            if (!end || *end < *first || *end >= count) throw fail();
            last = *end;
        }
        for (int core = *first; core <= last; ++core) cores.push_back(core);
        if (rest.empty()) return cores;
        if (!rest.starts_with(',')) throw fail();
        rest.remove_prefix(1);
    }
}

}  // namespace verbcast::tools
