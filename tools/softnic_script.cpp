// SPDX-License-Identifier: BSD-3-Clause
#include "softnic_script.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "command.hpp"

namespace verbcast::tools {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

[[noreturn]] void refuse(std::size_t rule, const std::string& why) {
    throw usage_error(fmt::format("rule {} of the fault script: {}", rule, why));
}

/// A value as a word of a line: a number, or a name without blanks.
std::string word(const json& value, std::size_t rule) {
    if (value.is_number()) return value.dump();
    if (!value.is_string()) refuse(rule, "values are numbers and names");
    auto text = value.get<std::string>();
    const bool plain = !text.empty() && text.front() != '#' && text.find_first_of(" \t\r\n") == std::string::npos;
    if (!plain) refuse(rule, "a name is empty, or has blanks or # in it");
    return text;
}

/// What the words mean is the software NIC's to know, and to complain of.
std::string rule_line(const json& rule, std::size_t number) {
    if (!rule.is_object() || !rule.contains("at")) refuse(number, "\"at\" is missing");
    std::string line = word(rule["at"], number);
    const bool frame = line == "frame";
    if (frame && !rule.contains("do")) refuse(number, "\"do\" is missing: drop, repeat, reorder, corrupt, ...");
    if (frame) line += " " + word(rule["do"], number);
    for (const auto& [key, value] : rule.items()) {
        if (key == "at" || (key == "do" && frame)) continue;
        if (key.empty() || key.find_first_of("= \t\r\n") != std::string::npos)
            refuse(number, "\"" + key + "\" is no field");
        for (const json& each : value.is_array() ? value : json::array({value}))
            line += fmt::format(" {}={}", key, word(each, number));
    }
    return line + "\n";
}

/// Adds the numbers of one object to those of another, and puts its lists behind the other's.
void add(ordered_json& sum, const ordered_json& more) {
    for (const auto& [key, value] : more.items()) {
        if (!sum.contains(key)) {
            sum[key] = value;
        } else if (value.is_object()) {
            add(sum[key], value);
        } else if (value.is_array()) {
            sum[key].insert(sum[key].end(), value.begin(), value.end());
        } else {
            sum[key] = sum[key].get<std::uint64_t>() + value.get<std::uint64_t>();
        }
    }
}

void sort_queues(ordered_json& device) {
    if (!device.contains("queues")) return;
    const auto key = [](const ordered_json& queue) {
        return std::tuple(queue.value("qpn", std::uint64_t{0}), queue.dump());
    };
    std::sort(device["queues"].begin(), device["queues"].end(),
              [&](const ordered_json& a, const ordered_json& b) { return key(a) < key(b); });
}

}  // namespace

std::string fault_lines(std::string_view text) {
    const json script = json::parse(text, nullptr, false);
    if (!script.is_object()) throw usage_error("the fault script is not a JSON object");
    std::string lines;
    for (const auto& [key, value] : script.items()) {
        if (key == "seed" && value.is_number_unsigned()) {
            lines += fmt::format("seed {}\n", value.get<std::uint64_t>());
        } else if (key == "rules" && value.is_array()) {
            std::size_t number = 0;
            for (const json& rule : value) lines += rule_line(rule, ++number);
        } else {
            throw usage_error(fmt::format("\"{}\" of the fault script is unknown, or is not what it should be", key));
        }
    }
    return lines;
}

ordered_json merged_truth(const std::vector<ordered_json>& truths) {
    ordered_json merged{{"devices", ordered_json::object()}};
    for (const ordered_json& each : truths) add(merged, each);
    for (auto& [name, device] : merged["devices"].items()) sort_queues(device);
    return merged;
}

}  // namespace verbcast::tools
