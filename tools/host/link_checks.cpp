// SPDX-License-Identifier: BSD-3-Clause
// The interface, as far as it is the same for every kind of traffic.
#include <algorithm>

#include <fmt/format.h>

#include "tools/host/checks.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

std::string present_names(const host_view& host) {
    std::string names;
    for (const network_interface& each : host.interfaces) names += (names.empty() ? "" : ", ") + each.name;
    return names;
}

/// "[Link]" files of systemd set what ethtool sets, at each boot.
std::string link_file(const std::string& interface, const std::string& line) {
    return fmt::format("printf '[Match]\\nOriginalName={}\\n[Link]\\n{}\\n' >/etc/systemd/network/10-verbcast-{}.link",
                       interface, line, interface);
}

finding state_of(const network_interface& on) {
    finding about{.id = "net.interface",
                  .subject = on.name,
                  .measured = on.up ? "up, with a carrier" : "down",
                  .wanted = "up, with a carrier, and able to multicast",
                  .why = "nothing is received through an interface that is down, and no group can be joined on it"};
    if (!on.up) {
        about.fix = fmt::format("ip link set {} up", on.name);
        about.persist = fmt::format("printf '[Match]\\nName={0}\\n[Link]\\nActivationPolicy=always-up\\n' "
                                    ">/etc/systemd/network/10-{0}.network",
                                    on.name);
        return bad(about, severity::fail);
    }
    if (!on.carrier) {
        about.measured = "up, but without a carrier";
        about.why = "the port has no link: its cable, its transceiver, or the other end";
        about.fix = fmt::format("ethtool {} shows why; plug in the cable, or enable the port of the switch", on.name);
        return bad(about, severity::fail);
    }
    if (!on.multicast && !on.loopback) {
        about.measured = "up, but without the flag MULTICAST";
        about.fix = fmt::format("ip link set {} multicast on", on.name);
        return bad(about, severity::fail);
    }
    return well(about);
}

finding mtu_of(const network_interface& on, const reception_plan& plan) {
    constexpr int headers_bytes = 48;  // IPv6 and UDP
    constexpr int jumbo = 9000, plain = 1500;
    constexpr std::uint32_t fast_megabits = 10000;
    const bool fast = on.megabits.value_or(0) >= fast_megabits;
    const int wanted = plan.packet_bytes != 0 ? static_cast<int>(plan.packet_bytes) + headers_bytes
                       : fast                 ? jumbo
                                              : plain;
    finding about{.id = "net.mtu",
                  .subject = on.name,
                  .measured = std::to_string(on.mtu),
                  .wanted = fmt::format("{} or more", wanted),
                  .why = "frames longer than the MTU are dropped without a count that anybody looks at; and each frame "
                         "costs the same, so that small ones halve what a core can receive",
                  .fix = fmt::format("ip link set {} mtu {}", on.name, wanted),
                  .persist = link_file(on.name, fmt::format("MTUBytes={}", wanted))};
    return on.mtu >= wanted ? well(about) : bad(about, severity::warn);
}

finding rings_of(const network_interface& on) {
    finding about{
        .id = "net.rings",
        .subject = on.name,
        .wanted = "as many as the NIC can have",
        .why = "what comes while the kernel is busy waits in the NIC's receive ring, and is lost when it is full"};
    if (!on.rings || on.rings->receive_max == 0) {
        about.measured = "the driver has none to set";
        return well(about);
    }
    about.measured = fmt::format("{} of {}", on.rings->receive, on.rings->receive_max);
    about.fix = fmt::format("ethtool -G {} rx {}", on.name, on.rings->receive_max);
    about.persist = link_file(on.name, "RxBufferSize=max");
    return on.rings->receive >= on.rings->receive_max ? well(about) : bad(about, severity::warn);
}

finding pause_of(const network_interface& on) {
    finding about{
        .id = "net.pause",
        .subject = on.name,
        .measured = "no pause frames are sent",
        .wanted = "none are sent",
        .why = "a receiver that falls behind would stop the switch with them, which then loses packets of others "
               "and counts them where nobody looks",
        .fix = fmt::format("ethtool -A {} autoneg off tx off", on.name),
        .persist = link_file(on.name, "AutoNegotiationFlowControl=no\\nTxFlowControl=no")};
    if (!on.pause) about.measured = "the driver has none to set";
    if (!on.pause || !on.pause->send) return well(about);
    about.measured = "pause frames are sent";
    return bad(about, severity::warn);
}

finding socket_buffer(const host_view& host, const reception_plan& plan) {
    const std::string key = "/proc/sys/net/core/rmem_max";
    const auto wanted = static_cast<std::int64_t>(plan.socket_bytes);
    finding about{
        .id = "net.rmem_max",
        .wanted = fmt::format("{} or more", wanted),
        .why = "the kernel cuts the receive buffer of a socket to this, and bursts that do not fit are lost; the "
               "NIC's own queues (--reader ibv) do not need it"};
    set_sysctl_fix(about, "net.core.rmem_max", wanted);
    const std::optional<std::int64_t> measured = host.raw.number(key);
    if (!measured) return not_known(about, host.raw.why_not(key));
    about.measured = std::to_string(*measured);
    return *measured >= wanted ? well(about) : bad(about, severity::warn);
}

}  // namespace

void check_links(const host_view& host, const reception_plan& plan, findings& into) {
    into.push_back(socket_buffer(host, plan));
    for (const std::string& name : interfaces_of(host, plan)) {
        const network_interface* const on = host.find_interface(name);
        if (on != nullptr) {
            into.push_back(state_of(*on));
            into.push_back(mtu_of(*on, plan));
            into.push_back(rings_of(*on));
            into.push_back(pause_of(*on));
            continue;
        }
        const finding about{.id = "net.interface",
                            .subject = name,
                            .measured = "there is none of that name",
                            .wanted = "one of: " + present_names(host),
                            .why = "nothing can be received through it",
                            .fix = "ip -brief link shows them: name one with --interface"};
        const bool listed = host.raw.text(host_snapshot::interfaces_key).has_value();
        into.push_back(listed ? bad(about, severity::fail)
                              : not_known(about, host.raw.why_not(host_snapshot::interfaces_key)));
    }
}

}  // namespace verbcast::tools
