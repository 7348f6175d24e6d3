// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/host_snapshot.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace verbcast::tools {
namespace {

constexpr std::string_view white = " \t\r\n";
constexpr const char* format_name = "verbcast-host";
constexpr int format_version = 1;

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

}  // namespace

void host_snapshot::refuse_absent(std::string_view folder, const std::string& why) {
    for (auto& [key, each] : readings_)
        if (each.what == reading::outcome::absent && key.starts_with(folder)) each = {reading::outcome::refused, why};
}

std::optional<std::string> host_snapshot::text(const std::string& key) const {
    const auto found = readings_.find(key);
    if (found == readings_.end() || found->second.what != reading::outcome::read) return std::nullopt;
    return std::string(trimmed(found->second.text));
}

std::optional<std::int64_t> host_snapshot::number(const std::string& key) const {
    const std::optional<std::string> found = text(key);
    if (!found) return std::nullopt;
    std::int64_t value = 0;
    if (std::from_chars(found->data(), found->data() + found->size(), value).ec != std::errc{}) return std::nullopt;
    return value;
}

std::vector<std::string> host_snapshot::names(const std::string& folder) const {
    const std::optional<std::string> found = text(folder);
    return found ? words_of(*found) : std::vector<std::string>();
}

bool host_snapshot::absent(const std::string& key) const {
    const auto found = readings_.find(key);
    return found != readings_.end() && found->second.what == reading::outcome::absent;
}

std::string host_snapshot::why_not(const std::string& key) const {
    const auto found = readings_.find(key);
    if (found == readings_.end()) return "it was not recorded";
    switch (found->second.what) {
    case reading::outcome::absent: return "this kernel has none";
    case reading::outcome::refused: return found->second.text;
    case reading::outcome::read: break;
    }
    return fmt::format("\"{}\" was not understood", trimmed(found->second.text));
}

json host_snapshot::to_json() const {
    json readings = json::object();
    for (const auto& [key, each] : readings_) {
        switch (each.what) {
        case reading::outcome::read: readings[key] = each.text; break;
        case reading::outcome::absent: readings[key] = nullptr; break;
        case reading::outcome::refused: readings[key] = {{"refused", each.text}}; break;
        }
    }
    return {{"format", format_name}, {"version", format_version}, {"readings", readings}};
}

host_snapshot host_snapshot::from_text(std::string_view text) {
    const std::string_view content = trimmed(text);
    if (content.empty()) throw std::runtime_error("the file is empty");
    if (content.front() == '{') return from_json(json::parse(content, nullptr, false));
    if (content.front() != '<') throw std::runtime_error("it is neither a bundle of verbcast doctor nor hwloc's XML");
    host_snapshot made;
    made.put_text(hwloc_key, std::string(content));
    return made;
}

host_snapshot host_snapshot::from_json(const json& bundle) {
    if (bundle.is_discarded()) throw std::runtime_error("the bundle is no JSON: it is damaged, or cut off");
    const auto format = bundle.find("format");
    const auto readings = bundle.find("readings");
    if (format == bundle.end() || *format != format_name || readings == bundle.end() || !readings->is_object())
        throw std::runtime_error("it is JSON, but no bundle of verbcast doctor");
    if (const auto version = bundle.find("version"); version == bundle.end() || *version != format_version)
        throw std::runtime_error(fmt::format("its version is not {}: another verbcast made it", format_version));
    host_snapshot made;
    for (const auto& [key, value] : readings->items()) {
        if (value.is_string()) {
            made.put_text(key, value.get<std::string>());
        } else if (value.is_null()) {
            made.put(key, {reading::outcome::absent, {}});
        } else if (value.is_object() && value.contains("refused") && value["refused"].is_string()) {
            made.put(key, {reading::outcome::refused, value["refused"].get<std::string>()});
        } else {
            throw std::runtime_error(fmt::format("the reading \"{}\" is neither text, null nor refused", key));
        }
    }
    return made;
}

std::vector<int> numbers_in(std::string_view list) {
    constexpr int numbers_max = 1 << 16;
    std::vector<int> numbers;
    const char* at = list.data();
    const char* const end = at + list.size();
    while (at != end) {
        int first = 0;
        auto [next, error] = std::from_chars(at, end, first);
        if (error != std::errc{} || first < 0) break;
        int last = first;
        if (next != end && *next == '-') {
            const auto upper = std::from_chars(next + 1, end, last);
            if (upper.ec != std::errc{}) break;
            next = upper.ptr;
        }
        for (int each = first; each <= last && each < numbers_max; ++each) numbers.push_back(each);
        if (next == end || *next != ',') break;
        at = next + 1;
    }
    return numbers;
}

std::string list_of(const std::vector<int>& numbers) {
    std::string text;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const int first = numbers[i];
        while (i + 1 < numbers.size() && numbers[i + 1] == numbers[i] + 1) ++i;
        text += fmt::format("{}{}", text.empty() ? "" : ",", first);
        if (numbers[i] != first) text += fmt::format("-{}", numbers[i]);
    }
    return text;
}

std::optional<std::string> field_of(std::string_view text, std::string_view key) {
    for (const std::string& line : lines_of(text))
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ':')
            return std::string(trimmed(std::string_view(line).substr(key.size() + 1)));
    return std::nullopt;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::istringstream in{std::string(text)};
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

}  // namespace verbcast::tools
