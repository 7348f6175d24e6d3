// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/host/checks.hpp"
#include "tools/host/firewall.hpp"

namespace verbcast::tools {
namespace {

/// One for each group and interface; without groups one that could be any.
std::vector<coming_datagram> datagrams_of(const host_view& host, const reception_plan& plan) {
    std::vector<coming_datagram> all;
    for (const std::string& interface : interfaces_of(host, plan)) {
        for (const group& each : plan.groups)
            if (const std::optional<ip_bytes> to = ip_from(each.address))
                all.push_back({.interface = interface,
                               .destination = *to,
                               .port = each.port,
                               .source = each.source ? ip_from(*each.source) : std::nullopt});
        if (plan.groups.empty()) all.push_back({.interface = interface, .destination = *ip_from("239.255.0.1")});
    }
    return all;
}

std::string network_of(const coming_datagram& each) {
    return each.destination.v6 ? "ip6 daddr ff00::/8" : "ip daddr 224.0.0.0/4";
}

std::string accept_rule(const coming_datagram& each, const std::string& chain) {
    const std::string match = each.port ? fmt::format("{} daddr {} udp dport {}", each.destination.v6 ? "ip6" : "ip",
                                                      text_of(each.destination), *each.port)
                                        : network_of(each) + " meta l4proto udp";
    return fmt::format("insert rule {} {} accept", chain, match);
}

finding filter(const firewall& rules, const std::vector<coming_datagram>& coming) {
    finding about{
        .id = "net.firewall",
        .measured = "no rule drops the datagrams",
        .wanted = "they pass",
        .why = "what the firewall drops never reaches a socket, and no counter of the socket shows it. The NIC's own "
               "queues (--reader ibv) are not concerned"};
    severity worst = severity::ok;
    std::set<std::string> chains;
    std::vector<std::string> fixes;
    for (const coming_datagram& each : coming) {
        const firewall::decision found = rules.decide(each);
        if (found.what == firewall::verdict::passes) continue;
        if (found.what == firewall::verdict::dropped) worst = severity::fail;
        if (worst == severity::ok) worst = severity::warn;
        chains.insert(
            fmt::format("{} {}", found.chain, found.what == firewall::verdict::dropped ? "drops" : "may drop"));
        const std::string fix = accept_rule(each, found.chain);
        if (std::find(fixes.begin(), fixes.end(), fix) == fixes.end()) fixes.push_back(fix);
    }
    if (worst == severity::ok) return well(about);
    about.measured = fmt::format("{} datagrams of the plan", fmt::join(chains, ", "));
    about.fix = fmt::format("nft '{}'", fmt::join(fixes, "; "));
    about.persist = "add these rules to the chain in /etc/nftables.conf";
    return bad(about, worst);
}

finding tracking(const firewall& rules, const std::vector<coming_datagram>& coming) {
    finding about{
        .id = "net.conntrack",
        .measured = "connections are not followed for these datagrams",
        .wanted = "multicast that is not tracked",
        .why = "connection tracking looks up each datagram in a table: a good part of a core at a million a second, "
               "and a full table drops",
        .persist = "add the table to /etc/nftables.conf"};
    std::set<std::string> networks;
    for (const coming_datagram& each : coming)
        if (rules.tracks(each)) networks.insert(network_of(each));
    if (networks.empty()) return well(about);
    about.measured = "the firewall follows connections, these datagrams' too";
    about.fix =
        "nft 'add table inet verbcast; add chain inet verbcast untracked { type filter hook prerouting priority raw; }";
    for (const std::string& each : networks)
        about.fix += fmt::format("; add rule inet verbcast untracked {} notrack", each);
    about.fix += "'";
    return bad(about, severity::warn);
}

}  // namespace

void check_firewall(const host_view& host, const reception_plan& plan, findings& into) {
    const std::vector<coming_datagram> coming = datagrams_of(host, plan);
    const std::optional<std::string> text = host.raw.text(host_snapshot::firewall_key);
    // Rules of iptables' own kind are not among those that nft(8) lists. The file is there for root only.
    const std::string others = host.raw.text("/proc/net/ip_tables_names").value_or("");
    const json ruleset = json::parse(text.value_or(""), nullptr, false);
    try {
        if (ruleset.is_discarded()) throw std::runtime_error(host.raw.why_not(host_snapshot::firewall_key));
        if (!others.empty())
            throw std::runtime_error("tables of iptables-legacy are in use, whose rules nobody has read: " + others);
        const firewall rules(ruleset);
        into.push_back(filter(rules, coming));
        into.push_back(tracking(rules, coming));
    } catch (const std::exception& error) {
        into.push_back(not_known({.id = "net.firewall"}, error.what()));
        into.push_back(not_known({.id = "net.conntrack"}, error.what()));
    }
}

}  // namespace verbcast::tools
