// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/firewall.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace verbcast::tools {
namespace {

constexpr int raw_priority = -300;
constexpr int jumps_max = 16;

std::string word(const json& of, const char* key) {
    const auto found = of.find(key);
    return found != of.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// What a condition looks at: "meta iifname", "ip daddr", "ct state"; "" when it is nothing we know.
std::string subject_of(const json& left) {
    if (!left.is_object()) return {};
    if (const auto meta = left.find("meta"); meta != left.end()) return "meta " + word(*meta, "key");
    if (const auto ct = left.find("ct"); ct != left.end()) return "ct " + word(*ct, "key");
    if (const auto fib = left.find("fib"); fib != left.end()) return "fib " + word(*fib, "result");
    if (const auto payload = left.find("payload"); payload != left.end())
        return word(*payload, "protocol") + " " + word(*payload, "field");
    return {};
}

/// Whether one value of a condition is `actual`, a text, a number or an address.
bool is_value(const json& value, const std::string& actual, const std::optional<ip_bytes>& address,
              std::optional<std::int64_t> number) {
    if (value.is_array() || (value.is_object() && value.contains("set"))) {
        const json& all = value.is_array() ? value : value["set"];
        return std::any_of(all.begin(), all.end(),
                           [&](const json& each) { return is_value(each, actual, address, number); });
    }
    if (value.is_object() && value.contains("prefix") && address) {
        const std::optional<ip_bytes> network = ip_from(word(value["prefix"], "addr"));
        return network && in_network(*address, *network, value["prefix"].at("len").get<unsigned>());
    }
    if (value.is_object() && value.contains("range")) {
        const json& range = value["range"];
        if (number) return *number >= range.at(0).get<std::int64_t>() && *number <= range.at(1).get<std::int64_t>();
        const std::optional<ip_bytes> first = ip_from(range.at(0).get<std::string>());
        const std::optional<ip_bytes> last = ip_from(range.at(1).get<std::string>());
        return address && first && last && first->bytes <= address->bytes && address->bytes <= last->bytes;
    }
    if (value.is_number_integer()) return number && *number == value.get<std::int64_t>();
    if (!value.is_string()) return false;
    const std::string text = value.get<std::string>();
    if (!text.empty() && text.back() == '*') return actual.starts_with(text.substr(0, text.size() - 1));
    if (const std::optional<ip_bytes> other = ip_from(text); other && address)
        return other->v6 == address->v6 && other->bytes == address->bytes;
    return text == actual;
}

}  // namespace

firewall::firewall(const json& ruleset) {
    for (const json& each : ruleset.at("nftables")) {
        if (const auto found = each.find("chain"); found != each.end())
            chains_.push_back({.family = word(*found, "family"),
                               .table = word(*found, "table"),
                               .name = word(*found, "name"),
                               .type = word(*found, "type"),
                               .hook = word(*found, "hook"),
                               .policy = word(*found, "policy"),
                               .priority = found->value("prio", 0),
                               .rules = {}});
        if (const auto found = each.find("rule"); found != each.end())
            for (chain& of : chains_)
                if (of.family == word(*found, "family") && of.table == word(*found, "table") &&
                    of.name == word(*found, "chain"))
                    of.rules.push_back(found->at("expr"));
    }
    for (const chain& each : chains_) {
        if (each.type == "nat") follows_connections_ = true;
        for (const json& rule : each.rules)
            if (rule.dump().find("\"ct\"") != std::string::npos) follows_connections_ = true;
    }
}

firewall::matching firewall::match(const json& condition, const coming_datagram& what) {
    const std::string subject = subject_of(condition.value("left", json()));
    const json right = condition.value("right", json());
    const std::string family = what.destination.v6 ? "ip6" : "ip";
    bool is = false;
    if (subject == "meta iifname" || subject == "meta iif") {
        is = is_value(right, what.interface, std::nullopt, std::nullopt);
    } else if (subject == "meta l4proto" || subject == "ip protocol" || subject == "ip6 nexthdr") {
        is = is_value(right, "udp", std::nullopt, 17);
    } else if (subject == "meta pkttype" || subject == "fib type") {
        is = is_value(right, what.destination.multicast() ? "multicast" : "local", std::nullopt, std::nullopt);
    } else if (subject == "meta nfproto") {
        is = is_value(right, what.destination.v6 ? "ipv6" : "ipv4", std::nullopt, std::nullopt);
    } else if (subject == "ip daddr" || subject == "ip6 daddr") {
        is = subject.starts_with(family + " ") && is_value(right, "", what.destination, std::nullopt);
    } else if (subject == "ip saddr" || subject == "ip6 saddr") {
        if (subject.starts_with(family + " ") && !what.source) return matching::maybe;
        is = subject.starts_with(family + " ") && is_value(right, "", what.source, std::nullopt);
    } else if (subject == "udp dport" || subject == "th dport") {
        if (!what.port) return matching::maybe;
        is = is_value(right, "", std::nullopt, *what.port);
    } else if (subject.starts_with("tcp ") || subject.starts_with("icmp")) {
        is = false;
    } else if (subject == "ct state") {
        // Nobody answers a multicast: its connection is new for ever.
        is = is_value(right, "new", std::nullopt, std::nullopt) ||
             is_value(right, "untracked", std::nullopt, std::nullopt);
    } else {
        return matching::maybe;
    }
    return is != (word(condition, "op") == "!=") ? matching::yes : matching::no;
}

firewall::matching firewall::matches(const json& rule, const coming_datagram& what) {
    matching all = matching::yes;
    for (const json& each : rule) {
        const auto condition = each.find("match");
        const bool rated = each.contains("limit");
        const matching one = condition != each.end() ? match(*condition, what)
                             : rated                 ? matching::maybe
                                                     : matching::yes;
        if (one == matching::no) return matching::no;
        if (one == matching::maybe) all = matching::maybe;
    }
    return all;
}

const firewall::chain* firewall::find(const chain& from, const std::string& name) const {
    const auto found = std::find_if(chains_.begin(), chains_.end(), [&](const chain& each) {
        return each.family == from.family && each.table == from.table && each.name == name;
    });
    return found == chains_.end() ? nullptr : &*found;
}

/// None when the chain's end is reached.
std::optional<firewall::verdict> firewall::run(const chain& each, const coming_datagram& what, walk& state,
                                               int depth) const {
    if (depth > jumps_max) return verdict::unsure;
    for (const json& rule : each.rules) {
        const matching fits = matches(rule, what);
        if (fits == matching::no) continue;
        for (const json& part : rule) {
            const bool passes = part.contains("accept"), drops = part.contains("drop") || part.contains("reject");
            if (fits == matching::maybe) {
                state.may_pass = state.may_pass || passes;
                state.may_drop = state.may_drop || drops;
            } else if (passes || drops) {
                if (passes ? state.may_drop : state.may_pass) return verdict::unsure;
                return passes ? verdict::passes : verdict::dropped;
            }
            if (part.contains("return") && fits == matching::yes) return std::nullopt;
            for (const char* way : {"jump", "goto"}) {
                if (!part.contains(way)) continue;
                const chain* const next = find(each, word(part[way], "target"));
                if (next == nullptr || fits == matching::maybe) {
                    state.may_pass = state.may_drop = true;
                    continue;
                }
                if (const auto decided = run(*next, what, state, depth + 1)) return decided;
                if (std::string_view(way) == "goto") return std::nullopt;
            }
        }
    }
    return std::nullopt;
}

firewall::decision firewall::decide(const coming_datagram& what) const {
    decision worst;
    const std::string family = what.destination.v6 ? "ip6" : "ip";
    for (const chain& each : chains_) {
        const bool on_the_way = each.hook == "input" || each.hook == "prerouting" || each.hook == "ingress";
        const bool of_us = each.family == "inet" || each.family == family || each.family == "netdev";
        if (!on_the_way || !of_us || each.type == "nat") continue;
        walk state;
        std::optional<verdict> found = run(each, what, state, 0);
        if (!found) {
            found = each.policy == "drop" ? verdict::dropped : verdict::passes;
            if (*found == verdict::dropped ? state.may_pass : state.may_drop) found = verdict::unsure;
        }
        decision made{*found, fmt::format("{} {} {}", each.family, each.table, each.name)};
        if (made.what == verdict::dropped) return made;
        if (made.what == verdict::unsure && worst.what == verdict::passes) worst = made;
    }
    return worst;
}

bool firewall::tracks(const coming_datagram& what) const {
    if (!follows_connections_) return false;
    for (const chain& each : chains_) {
        if (each.hook != "prerouting" || each.priority > raw_priority) continue;
        for (const json& rule : each.rules) {
            const bool exempts =
                std::any_of(rule.begin(), rule.end(), [](const json& part) { return part.contains("notrack"); });
            if (exempts && matches(rule, what) == matching::yes) return false;
        }
    }
    return true;
}

}  // namespace verbcast::tools
