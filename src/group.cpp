// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/group.hpp>

#include <charconv>

#include <fmt/format.h>

#include <verbcast/error.hpp>

#include "verbs/ip_address.hpp"

namespace verbcast {
namespace {

constexpr std::string_view shape = "must be [SOURCE@]ADDRESS:PORT, numeric, IPv6 in brackets: 239.2.1.150:7148, "
                                   "10.0.0.1@232.2.1.150:7148, [ff05::150]:7148";

bool is_bracketed(std::string_view text) { return text.size() > 2 && text.front() == '[' && text.back() == ']'; }

/// The address as a group keeps it; nothing when it is not one. Brackets are for IPv6 only, and optional for a source.
std::optional<std::string> parse_address(std::string_view text, bool may_lack_brackets) {
    const bool bracketed = is_bracketed(text);
    if (bracketed) text = text.substr(1, text.size() - 2);
    const std::optional<verbs::ip_address> address = verbs::ip_address::from_string(text);
    if (!address) return std::nullopt;
    const bool v6 = address->family == verbs::ip_family::v6;
    if (v6 ? !bracketed && !may_lack_brackets : bracketed) return std::nullopt;
    return address->to_string();
}

std::string text_of(const group& of) {
    const bool v6 = of.address.find(':') != std::string::npos;
    const std::string_view source = of.source ? std::string_view{*of.source} : std::string_view{};
    return fmt::format("{}{}{}{}{}:{}", source, of.source ? "@" : "", v6 ? "[" : "", of.address, v6 ? "]" : "",
                       of.port);
}

}  // namespace

group group::parse(std::string_view text, std::string_view field) {
    const auto refuse = [&]() -> config_error { return {field, text, shape}; };
    group result;
    std::string_view rest = text;
    if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
        result.source = parse_address(rest.substr(0, at), true);
        if (!result.source) throw refuse();
        rest.remove_prefix(at + 1);
    }
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos) throw refuse();
    const std::optional<std::string> address = parse_address(rest.substr(0, colon), false);
    if (!address) throw refuse();
    result.address = *address;

    const std::string_view port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error == std::errc::result_out_of_range) throw config_error(field, text, "the port must be 1 to 65535");
    if (error != std::errc{} || end != port.data() + port.size()) throw refuse();
    result.validate(field);
    return result;
}

std::string group::name() const {
    const std::optional<verbs::ip_address> known = verbs::ip_address::from_string(address);
    return known ? verbs::to_string(*known, port) : text_of({.address = address, .port = port, .source = {}});
}

void group::validate(std::string_view field) const {
    const auto refuse = [&](std::string_view allowed) -> config_error { return {field, text_of(*this), allowed}; };
    const std::optional<verbs::ip_address> to = verbs::ip_address::from_string(address);
    if (!to) throw refuse("the address must be a numeric IPv4 or IPv6 address");
    if (to->is_v4_mapped()) throw refuse("an IPv4 address must be written as one, not mapped into IPv6");
    if (port == 0) throw refuse("the port must be 1 to 65535");
    if (!source) return;

    const std::optional<verbs::ip_address> from = verbs::ip_address::from_string(*source);
    if (!from) throw refuse("the source must be a numeric IPv4 or IPv6 address");
    if (from->family != to->family) throw refuse("the source must be of the same IP version as the group");
    if (!to->is_multicast()) throw refuse("only a multicast group can have a source");
    if (from->is_multicast() || from->is_unspecified()) throw refuse("the source must be the address of one sender");
}

}  // namespace verbcast
