// SPDX-License-Identifier: BSD-3-Clause
// Reading a script of faults. Every word must be known, and every rule must select something: a rule that does nothing
// would be a test that passes.
#include "fault_script.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace softnic {
namespace {

constexpr std::uint64_t times_max = 1024;
constexpr std::uint64_t by_max = 65536;
constexpr std::uint64_t lasts_max = 1'000'000'000;
constexpr std::uint64_t errno_max = 4095;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

std::uint64_t whole_number(const std::string& key, const std::string& text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || stopped != end || error != std::errc{}) refuse(key + " is a whole number, not '" + text + "'");
    return value;
}

std::uint64_t number_up_to(const std::string& key, const std::string& text, std::uint64_t max) {
    const std::uint64_t value = whole_number(key, text);
    if (value == 0 || value > max) refuse(key + " is from 1 to " + std::to_string(max) + ", not " + text);
    return value;
}

std::uint64_t from_one(const std::string& key, const std::string& text) {
    const std::uint64_t value = whole_number(key, text);
    if (value == 0) refuse(key + " counts from 1");
    return value;
}

double probability(const std::string& text) {
    double value = -1;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (stopped != end || error != std::errc{} || !(value >= 0 && value <= 1)) {
        refuse("rate is from 0 to 1, not '" + text + "'");
    }
    return value;
}

std::pair<std::string, std::string> field(const std::string& word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) refuse("'" + word + "' is not KEY=VALUE");
    return {word.substr(0, equals), word.substr(equals + 1)};
}

}  // namespace

class fault_reader {
public:
    fault_reader(fault_script& script, const std::vector<std::string>& devices) : script_(script), devices_(devices) {}

    void read_line(const std::string& line) {
        std::istringstream words(line);
        std::string at;
        if (!(words >> at) || at.front() == '#') return;
        if (at == "seed") {
            read_seed(words);
            return;
        }
        ++rule_;
        try {
            read_rule(at, words);
        } catch (const std::invalid_argument& error) {
            refuse("fault script, rule " + std::to_string(rule_) + " '" + line + "': " + error.what());
        }
    }

private:
    using action = fault_script::action;
    using selection = fault_script::selection;

    struct known_action {
        std::string_view name;
        action what;
        std::string_view amount_key;  ///< empty: it has none
        std::uint64_t amount_max;
        bool at_verbs;
    };
    static constexpr std::array<known_action, 9> actions{
        {{"drop", action::drop, "", 0, false},
         {"repeat", action::repeat, "times", times_max, false},
         {"duplicate", action::repeat, "times", times_max, false},
         {"reorder", action::reorder, "by", by_max, false},
         {"corrupt", action::corrupt, "", 0, false},
         {"queue_pair_fatal", action::break_queue_pairs, "", 0, true},
         {"completion_queue_error", action::break_completion_queues, "", 0, true},
         {"device_fatal", action::fail_device, "", 0, true},
         {"port_error", action::fail_port, "lasts", lasts_max, true}}};

    static const known_action& action_named(const std::string& name, bool at_verb) {
        std::string names;
        for (const known_action& each : actions) {
            if (at_verb && !each.at_verbs) continue;
            if (each.name == name) return each;
            names += (names.empty() ? "" : ", ") + std::string(each.name);
        }
        refuse("there is no '" + name + "' here; what can be done is " + names);
    }

    void read_seed(std::istringstream& words) {
        std::string value;
        std::string more;
        words >> value;
        if (words >> more) refuse("fault script: one seed, not '" + value + " " + more + "'");
        script_.seed_ = whole_number("fault script: seed", value);
    }

    void read_rule(const std::string& at, std::istringstream& words) {
        if (at == "frame") {
            read_frame_rule(words);
        } else if (fault_script::is_verb(at)) {
            read_call_rule(at, words);
        } else {
            refuse("'" + at + "' is neither frame nor a verb that can be made to fail");
        }
    }

    void read_frame_rule(std::istringstream& words) {
        fault_script::frame_rule rule;
        std::string word;
        if (!(words >> word)) refuse("what is to be done to the frame is missing");
        const known_action& known = action_named(word, false);
        rule.what = known.what;
        bool selects = false;
        while (words >> word) {
            const auto [key, value] = field(word);
            if (read_selection(key, value, "frame", rule.which)) {
                selects = true;
            } else if (key == "device") {
                rule.device = device_named(value);
            } else if (!known.amount_key.empty() && key == known.amount_key) {
                rule.amount = number_up_to(key, value, known.amount_max);
            } else {
                refuse("'" + key + "' means nothing to " + std::string(known.name));
            }
        }
        finish(rule.which, selects, "frame");
        script_.frame_rules_.push_back(std::move(rule));
    }

    void read_call_rule(const std::string& verb, std::istringstream& words) {
        fault_script::call_rule rule;
        const known_action* known = nullptr;
        std::uint64_t amount = 1;
        bool selects = false;
        for (std::string word; words >> word;) {
            const auto [key, value] = field(word);
            if (read_selection(key, value, "call", rule.which)) {
                selects = true;
            } else if (key == "errno") {
                rule.error = static_cast<int>(number_up_to(key, value, errno_max));
            } else if (key == "do") {
                known = &action_named(value, true);
            } else if (key == "device") {
                rule.device = device_named(value);
            } else if (key == "lasts") {
                amount = number_up_to(key, value, lasts_max);
            } else {
                refuse("'" + key + "' means nothing at a verb");
            }
        }
        if (known == nullptr && rule.error == 0) refuse("errno is missing, or do");
        if (known == nullptr && !rule.device.empty()) refuse("calls are counted for all devices together");
        if (amount != 1 && (known == nullptr || known->what != action::fail_port)) refuse("only port_error lasts");
        if (known != nullptr) fault_script::apply(known->what, amount, rule.broken);
        finish(rule.which, selects, "call");
        script_.verbs_[verb].rules.push_back(std::move(rule));
    }

    /// False when the key is none of those that select.
    static bool read_selection(const std::string& key, const std::string& value, std::string_view number_key,
                               selection& which) {
        if (key == "rate") {
            which.rate = probability(value);
        } else if (key == number_key) {
            which.numbers.push_back(from_one(key, value));
        } else if (key == "every") {
            which.every = from_one(key, value);
        } else if (key == "first") {
            which.first = from_one(key, value);
        } else if (key == "last") {
            which.last = from_one(key, value);
        } else {
            return false;
        }
        return true;
    }

    /// A range alone means all of it.
    static void finish(selection& which, bool selects, const std::string& number_key) {
        if (!selects) refuse("which? give rate, " + number_key + ", every, first or last");
        if (which.first > which.last) refuse("first is behind last");
        if (!which.rate.has_value() && which.every == 0 && which.numbers.empty()) which.every = 1;
    }

    const std::string& device_named(const std::string& name) const {
        const auto found = std::find(devices_.begin(), devices_.end(), name);
        if (found == devices_.end()) refuse("there is no device '" + name + "'");
        return *found;
    }

    fault_script& script_;
    const std::vector<std::string>& devices_;
    int rule_ = 0;
};

void fault_script::read(std::string_view text, const std::vector<std::string>& devices) {
    fault_reader reader(*this, devices);
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) reader.read_line(line);
}

}  // namespace softnic
