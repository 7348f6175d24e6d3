// SPDX-License-Identifier: BSD-3-Clause
#include "softnic_script.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>

#include "command.hpp"

namespace verbcast::tools {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array frame_fields{"rate", "frame", "every", "first", "last", "device", "times", "by"};
constexpr std::array frame_actions{"drop",    "repeat",           "duplicate",    "reorder",
                                   "corrupt", "queue_pair_fatal", "device_fatal", "port_error"};
constexpr std::array call_fields{"rate", "call", "every", "first", "last", "errno"};

[[noreturn]] void refuse(std::size_t rule, const std::string& why) {
    throw usage_error(fmt::format("rule {} of the fault script: {}", rule, why));
}

template <class Words>
bool is_one_of(const Words& words, std::string_view text) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// A value as a word of a line: a number, or a name without blanks.
std::string word(const json& value, std::size_t rule) {
    if (value.is_number()) return value.dump();
    if (!value.is_string()) refuse(rule, "values are numbers and names");
    auto text = value.get<std::string>();
    const bool plain = !text.empty() && text.find_first_of(" \t\r\n") == std::string::npos;
    if (!plain) refuse(rule, "a name is empty or has blanks in it");
    return text;
}

template <class Fields>
std::string fields_of(const json& rule, const Fields& known, std::size_t number) {
    std::string text;
    for (const auto& [key, value] : rule.items()) {
        if (key == "at" || key == "do") continue;
        if (!is_one_of(known, key)) refuse(number, "unknown field \"" + key + "\"");
        for (const json& each : value.is_array() ? value : json::array({value}))
            text += fmt::format(" {}={}", key, word(each, number));
    }
    return text;
}

std::string rule_line(const json& rule, std::size_t number) {
    if (!rule.is_object() || !rule.contains("at")) refuse(number, "\"at\" is missing");
    const std::string at = word(rule["at"], number);
    if (at == "frame") {
        const std::string action = rule.contains("do") ? word(rule["do"], number) : "";
        if (!is_one_of(frame_actions, action))
            refuse(number, fmt::format("\"do\" is one of {}", fmt::join(frame_actions, ", ")));
        return "frame " + action + fields_of(rule, frame_fields, number) + "\n";
    }
    if (!at.starts_with("ibv_")) refuse(number, "\"at\" is \"frame\" or the name of a verb");
    if (!rule.contains("errno") || rule.contains("do")) refuse(number, "a verb takes an \"errno\", and no \"do\"");
    return at + fields_of(rule, call_fields, number) + "\n";
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
