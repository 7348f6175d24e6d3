// SPDX-License-Identifier: BSD-3-Clause
// The groups of the plan.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/host/checks.hpp"
#include "tools/host/ip_route.hpp"

namespace verbcast::tools {
namespace {

struct range {
    const char* network;
    unsigned bits;
    severity how;
    const char* what;
};

constexpr range reserved[] = {
    {"224.0.0.0", 24, severity::fail,
     "of the local network's protocols: never forwarded, and sent to every port whoever has joined"},
    {"224.0.1.0", 24, severity::warn, "assigned by IANA to protocols (NTP, PTP and others)"},
    {"232.0.0.0", 8, severity::fail,
     "for source-specific groups: routers forward nothing to who does not name a sender"},
    {"ff01::", 16, severity::fail, "of one interface: never sent on a network"},
    {"ff02::", 16, severity::warn, "of the local network: never routed, and seldom snooped"},
};

const range* reserved_range(const ip_bytes& address, bool has_source) {
    for (const range& each : reserved) {
        const std::optional<ip_bytes> network = ip_from(each.network);
        const bool fine_with_source = has_source && each.bits == 8;
        if (network && in_network(address, *network, each.bits) && !fine_with_source) return &each;
    }
    return nullptr;
}

/// Groups whose MAC address is that of one of the local network's protocols are flooded as those are.
bool flooded(const ip_bytes& address) {
    return !address.v6 && multicast_mac_of(address).starts_with("01:00:5e:00:00:");
}

/// Another address of the same site, for advice.
std::string free_address(const reception_plan& plan, const ip_bytes& taken) {
    ip_bytes proposed = taken;
    const auto is_used = [&](const ip_bytes& candidate) {
        return std::any_of(plan.groups.begin(), plan.groups.end(), [&](const group& each) {
            const auto other = ip_from(each.address);
            return other && multicast_mac_of(*other) == multicast_mac_of(candidate);
        });
    };
    if (!proposed.v6)
        proposed.bytes = {239, 192, taken.bytes[2] == 0 ? std::uint8_t{1} : taken.bytes[2], taken.bytes[3]};
    if (proposed.v6) proposed.bytes[1] = 0x15;
    for (int i = 0; i < 255 && is_used(proposed); ++i) ++proposed.bytes[proposed.v6 ? 15 : 3];
    return text_of(proposed);
}

std::string move_advice(const reception_plan& plan, const ip_bytes& from) {
    return fmt::format("use {} in the place of {}, in the sender and in every receiver", free_address(plan, from),
                       text_of(from));
}

finding ranges(const reception_plan& plan) {
    finding about{.id = "net.reserved_range",
                  .measured = "no group is in a reserved range",
                  .wanted = "groups of 239.0.0.0/8 or ff15::/16, or 232.0.0.0/8 with a sender",
                  .why = "switches and routers treat some addresses in ways of their own"};
    severity worst = severity::ok;
    std::vector<std::string> said;
    for (const group& each : plan.groups) {
        const std::optional<ip_bytes> address = ip_from(each.address);
        if (!address || !address->multicast()) continue;
        const range* const found = reserved_range(*address, each.source.has_value());
        if (found == nullptr && !flooded(*address)) continue;
        said.push_back(fmt::format(
            "{} is {}", each.address,
            found != nullptr ? found->what : "flooded: its MAC address is one of the local network's protocols"));
        if (worst != severity::fail) worst = found != nullptr ? found->how : severity::warn;
        if (about.fix.empty()) about.fix = move_advice(plan, *address);
    }
    if (said.empty()) return well(about);
    about.measured = fmt::format("{}", fmt::join(said, "; "));
    return bad(about, worst);
}

finding shared_macs(const reception_plan& plan) {
    finding about{.id = "net.shared_mac",
                  .measured = "each group has a MAC address of its own",
                  .wanted = "groups that differ in their last 23 bits (IPv6: 32)",
                  .why =
                      "switches and NICs tell groups apart by the MAC address: who joins one of these gets the others "
                      "too, at their full rate"};
    std::map<std::string, std::vector<std::string>> groups_of;
    for (const group& each : plan.groups) {
        const std::optional<ip_bytes> address = ip_from(each.address);
        if (!address || !address->multicast()) continue;
        std::vector<std::string>& same = groups_of[multicast_mac_of(*address)];
        if (std::find(same.begin(), same.end(), each.address) != same.end()) continue;
        same.push_back(each.address);
        if (same.size() > 1 && about.fix.empty()) about.fix = move_advice(plan, *address);
    }
    std::vector<std::string> said;
    for (const auto& [mac, same] : groups_of)
        if (same.size() > 1) said.push_back(fmt::format("{} share {}", fmt::join(same, " and "), mac));
    if (said.empty()) return well(about);
    about.measured = fmt::format("{}", fmt::join(said, "; "));
    return bad(about, severity::warn);
}

/// The first interface that the plan could mean.
std::string likely_interface(const host_view& host, const reception_plan& plan) {
    const std::vector<std::string> names = interfaces_of(host, plan);
    return names.empty() ? "INTERFACE" : names.front();
}

finding route_of(const host_view& host, const reception_plan& plan, const group& to, const ip_bytes& address) {
    const std::string on = likely_interface(host, plan);
    finding about{.id = "net.route",
                  .subject = to.address,
                  .wanted = "a route through " + on,
                  .why = "programs that do not name an interface join, and send, where the kernel routes the group",
                  .fix = fmt::format("ip {}route replace {}/{} dev {}", address.v6 ? "-6 " : "", to.address,
                                     address.v6 ? 128 : 32, on),
                  .persist = fmt::format("printf '[Match]\\nName={0}\\n[Route]\\nDestination={1}\\n' "
                                         ">/etc/systemd/network/20-verbcast-{0}.network",
                                         on, to.address)};
    if (!host.raw.text(route_table_key(address))) return not_known(about, host.raw.why_not(route_table_key(address)));
    const std::optional<std::string> found = interface_to(host.raw, address);
    about.measured = found ? "through " + *found : "there is no route";
    if (found && (plan.interfaces.empty() || *found == plan.interfaces.front())) return well(about);
    // Joined by the interface's name, as verbcast does when it is given one, a group needs no route.
    return bad(about, plan.interfaces.empty() ? severity::fail : severity::warn);
}

}  // namespace

void check_groups(const host_view& host, const reception_plan& plan, findings& into) {
    if (plan.groups.empty()) return;
    into.push_back(ranges(plan));
    into.push_back(shared_macs(plan));
    for (const group& each : plan.groups) {
        const std::optional<ip_bytes> address = ip_from(each.address);
        const bool seen = std::any_of(into.begin(), into.end(), [&](const finding& other) {
            return other.id == "net.route" && other.subject == each.address;
        });
        if (address && address->multicast() && !seen) into.push_back(route_of(host, plan, each, *address));
    }
}

}  // namespace verbcast::tools
