// SPDX-License-Identifier: BSD-3-Clause
// What the kernel does about multicast on this host, whatever the groups.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tools/host/checks.hpp"

namespace verbcast::tools {
namespace {

const std::string ipv4 = "/proc/sys/net/ipv4/";

std::size_t groups_in(const reception_plan& plan) {
    std::set<std::string> addresses;
    for (const group& each : plan.groups) addresses.insert(each.address);
    return addresses.size();
}

std::size_t sources_in(const reception_plan& plan) {
    std::map<std::string, std::set<std::string>> sources;
    std::size_t most = 0;
    for (const group& each : plan.groups)
        if (each.source) {
            sources[each.address].insert(*each.source);
            most = std::max(most, sources[each.address].size());
        }
    return most;
}

finding limit(const host_view& host, const std::string& name, std::size_t needed, std::int64_t usual,
              const std::string& why) {
    const std::int64_t wanted = std::max(static_cast<std::int64_t>(needed), usual);
    finding about{.id = "net." + name, .wanted = fmt::format("{} or more", wanted), .why = why};
    set_sysctl_fix(about, "net.ipv4." + name, wanted);
    const std::optional<std::int64_t> measured = host.raw.number(ipv4 + name);
    if (!measured) return not_known(about, host.raw.why_not(ipv4 + name));
    about.measured = std::to_string(*measured);
    return *measured >= wanted ? well(about) : bad(about, severity::warn);
}

/// The kernel goes by the larger of "all" and the interface's own.
finding path_filter(const host_view& host, const std::string& on) {
    const std::string all = ipv4 + "conf/all/rp_filter", own = ipv4 + "conf/" + on + "/rp_filter";
    finding about{.id = "net.rp_filter",
                  .subject = on,
                  .wanted = "0 (off) or 2 (loose)",
                  .why = "at 1 the kernel silently drops what comes from senders that it would not answer through this "
                         "interface; multicast often does. The NIC's own queues (--reader ibv) are not concerned"};
    set_sysctl_fix(about, fmt::format("net.ipv4.conf.{}.rp_filter", on), 2);
    const std::optional<std::int64_t> everywhere = host.raw.number(all), here = host.raw.number(own);
    if (!everywhere || !here) return not_known(about, host.raw.why_not(everywhere ? own : all));
    const std::int64_t measured = std::max(*everywhere, *here);
    about.measured = std::to_string(measured);
    return measured == 1 ? bad(about, severity::warn) : well(about);
}

finding igmp_version(const host_view& host, const reception_plan& plan, const std::string& on) {
    const std::string all = ipv4 + "conf/all/force_igmp_version", own = ipv4 + "conf/" + on + "/force_igmp_version";
    finding about{.id = "net.igmp_version",
                  .subject = on,
                  .wanted = "0: what the network's querier speaks, at best 3",
                  .why = "versions 1 and 2 cannot ask for one sender of a group, and version 1 cannot leave a group"};
    const std::optional<std::int64_t> everywhere = host.raw.number(all), here = host.raw.number(own);
    if (!everywhere || !here) return not_known(about, host.raw.why_not(everywhere ? own : all));
    const std::int64_t measured = *everywhere != 0 ? *everywhere : *here;
    set_sysctl_fix(about, fmt::format("net.ipv4.conf.{}.force_igmp_version", *everywhere != 0 ? "all" : on), 0);
    about.measured = measured == 0 ? "not forced" : fmt::format("forced to {}", measured);
    if (measured == 0 || measured == 3) return well(about);
    return bad(about, measured == 1 || sources_in(plan) != 0 ? severity::fail : severity::warn);
}

finding querier(const host_view& host, const std::string& on) {
    const std::string key = host_snapshot::querier_key(on);
    finding about{
        .id = "net.querier",
        .subject = on,
        .wanted = "one query or more in two minutes",
        .why = "switches that snoop forget who has joined when nobody asks: reception then ends some minutes after "
               "it began. Without snooping nobody need ask, but everything goes everywhere"};
    if (const std::optional<std::string> from = host.raw.text(key)) {
        about.measured = "a query came from " + *from;
        return well(about);
    }
    if (host.raw.absent(key)) {
        about.measured = "none came while we listened";
        about.fix =
            "switch on an IGMP querier in the switch or router of this network; for a bridge of Linux: ip link set "
            "BRIDGE type bridge mcast_querier 1";
        return bad(about, severity::warn);
    }
    finding unknown = not_known(about, "nobody has listened for one: " + host.raw.why_not(key));
    unknown.fix = fmt::format("verbcast doctor --interface {} --listen 130", on);
    return unknown;
}

}  // namespace

void check_multicast(const host_view& host, const reception_plan& plan, findings& into) {
    into.push_back(
        limit(host, "igmp_max_memberships", groups_in(plan), 20,
              "a socket joins no more groups than this. verbcast opens another socket then; programs that do "
              "not, fail with \"No buffer space available\""));
    into.push_back(limit(host, "igmp_max_msf", sources_in(plan), 10,
                         "a socket takes no more senders of a group than this. verbcast opens another socket then"));
    for (const std::string& each : interfaces_of(host, plan)) {
        const network_interface* const on = host.find_interface(each);
        if (on == nullptr) continue;
        into.push_back(path_filter(host, each));
        if (on->loopback) continue;
        into.push_back(igmp_version(host, plan, each));
        into.push_back(querier(host, each));
    }
}

}  // namespace verbcast::tools
