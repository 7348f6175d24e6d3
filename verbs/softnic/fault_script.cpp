// SPDX-License-Identifier: BSD-3-Clause
#include "fault_script.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace softnic {
namespace {

constexpr unsigned amount_max = 1024;

std::uint64_t scramble(std::uint64_t value) noexcept {
    // The finaliser of SplitMix64.
    value += 0x9e3779b97f4a7c15ULL;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

double fraction(std::uint64_t value) noexcept { return static_cast<double>(value >> 11) * 0x1p-53; }

std::uint64_t whole_number(const std::string& text) {
    std::size_t used = 0;
    std::uint64_t value = 0;
    if (!text.empty() && text.front() >= '0' && text.front() <= '9') value = std::stoull(text, &used);
    if (used == 0 || used != text.size()) throw std::invalid_argument("'" + text + "' is not a whole number");
    return value;
}

std::uint64_t from_one(const std::string& text) {
    const std::uint64_t value = whole_number(text);
    if (value == 0) throw std::invalid_argument("numbers begin at 1");
    return value;
}

double probability(const std::string& text) {
    std::size_t used = 0;
    const double value = std::stod(text, &used);
    if (used != text.size() || !(value >= 0 && value <= 1)) throw std::invalid_argument("a rate is from 0 to 1");
    return value;
}

}  // namespace

/// Reads a line at a time. Every word must be known: a misspelt rule that does nothing would be a test that passes.
struct fault_reader {
    using action = fault_script::action;

    static action action_named(const std::string& name) {
        static constexpr std::array<std::pair<std::string_view, action>, 8> names{
            {{"drop", action::drop},
             {"repeat", action::repeat},
             {"duplicate", action::repeat},
             {"reorder", action::reorder},
             {"corrupt", action::corrupt},
             {"queue_pair_fatal", action::break_queue},
             {"device_fatal", action::fail_device},
             {"port_error", action::fail_port}}};
        const auto* const found =
            std::find_if(names.begin(), names.end(), [&](const auto& each) { return each.first == name; });
        if (found == names.end()) throw std::invalid_argument("unknown action '" + name + "'");
        return found->second;
    }

    /// False when the key is none of those that select.
    static bool read_selection(const std::string& key, const std::string& value, std::string_view number_key,
                               fault_script::selection& which) {
        if (key == "rate") {
            which.rate = probability(value);
        } else if (key == number_key) {
            which.numbers.push_back(from_one(value));
        } else if (key == "every") {
            which.every = from_one(value);
        } else if (key == "first") {
            which.first = from_one(value);
            which.ranged = true;
        } else if (key == "last") {
            which.last = from_one(value);
            which.ranged = true;
        } else {
            return false;
        }
        return true;
    }

    /// A range alone means all of it.
    static void finish(fault_script::selection& which) noexcept {
        if (which.ranged && which.rate == 0 && which.every == 0 && which.numbers.empty()) which.every = 1;
    }

    static std::pair<std::string, std::string> field(const std::string& word) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) throw std::invalid_argument("'" + word + "' is not KEY=VALUE");
        return {word.substr(0, equals), word.substr(equals + 1)};
    }

    static void read_frame_rule(std::istringstream& words, fault_script& script) {
        fault_script::frame_rule rule;
        std::string word;
        words >> word;
        rule.what = action_named(word);
        while (words >> word) {
            const auto [key, value] = field(word);
            if (read_selection(key, value, "frame", rule.which)) continue;
            if (key == "device") {
                rule.device = value;
            } else if (key == "times" || key == "by") {
                rule.amount = static_cast<unsigned>(std::min<std::uint64_t>(from_one(value), amount_max));
            } else {
                throw std::invalid_argument("unknown field '" + key + "' at a frame");
            }
        }
        finish(rule.which);
        script.frame_rules_.push_back(std::move(rule));
    }

    static void read_call_rule(const std::string& verb, std::istringstream& words, fault_script& script) {
        fault_script::call_rule rule;
        for (std::string word; words >> word;) {
            const auto [key, value] = field(word);
            if (read_selection(key, value, "call", rule.which)) continue;
            if (key != "errno") throw std::invalid_argument("unknown field '" + key + "' at a verb");
            rule.error = static_cast<int>(from_one(value));
        }
        if (rule.error == 0) throw std::invalid_argument("errno is missing");
        finish(rule.which);
        script.verbs_[verb].rules.push_back(std::move(rule));
    }

    static void read_line(const std::string& line, fault_script& script) {
        std::istringstream words(line);
        std::string at;
        if (!(words >> at) || at.front() == '#') return;
        if (at == "seed") {
            std::string value;
            words >> value;
            script.seed_ = whole_number(value);
        } else if (at == "frame") {
            read_frame_rule(words, script);
        } else if (at.starts_with("ibv_")) {
            read_call_rule(at, words, script);
        } else {
            throw std::invalid_argument("a line begins with seed, frame or the name of a verb, not '" + at + "'");
        }
    }
};

void fault_script::read(std::string_view text) {
    std::istringstream lines{std::string(text)};
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        try {
            fault_reader::read_line(line, *this);
        } catch (const std::logic_error& error) {
            throw std::invalid_argument("fault script, line " + std::to_string(number) + ": " + error.what());
        }
    }
}

bool fault_script::selects(const selection& which, std::uint64_t rule, std::uint64_t number) const noexcept {
    if (number < which.first || number > which.last) return false;
    if (which.every != 0 && (number - which.first + 1) % which.every == 0) return true;
    if (std::find(which.numbers.begin(), which.numbers.end(), number) != which.numbers.end()) return true;
    return which.rate > 0 && fraction(scramble(scramble(seed_ ^ scramble(rule)) ^ number)) < which.rate;
}

void fault_script::apply(const frame_rule& rule, frame_verdict& verdict) noexcept {
    switch (rule.what) {
    case action::drop: verdict.drop = true; break;
    case action::repeat: verdict.extra_copies += rule.amount; break;
    case action::reorder: verdict.delay_frames = std::max(verdict.delay_frames, rule.amount); break;
    case action::corrupt: verdict.corrupt = true; break;
    case action::break_queue: verdict.break_queues = true; break;
    case action::fail_device: verdict.fail_device = true; break;
    case action::fail_port: verdict.fail_port = true; break;
    }
}

frame_verdict fault_script::judge(std::string_view device, std::uint64_t frame) const noexcept {
    frame_verdict verdict;
    for (std::size_t i = 0; i < frame_rules_.size(); ++i) {
        const frame_rule& rule = frame_rules_[i];
        if (!rule.device.empty() && rule.device != device) continue;
        if (selects(rule.which, i, frame)) apply(rule, verdict);
    }
    verdict.random = scramble(seed_ + frame);
    return verdict;
}

int fault_script::judge_call(std::string_view verb) noexcept {
    const auto found = verbs_.find(verb);
    if (found == verbs_.end()) return 0;
    const std::uint64_t call = found->second.calls.fetch_add(1, std::memory_order_relaxed) + 1;
    for (std::size_t i = 0; i < found->second.rules.size(); ++i) {
        if (selects(found->second.rules[i].which, i, call)) return found->second.rules[i].error;
    }
    return 0;
}

}  // namespace softnic
