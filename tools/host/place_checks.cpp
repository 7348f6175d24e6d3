// SPDX-License-Identifier: BSD-3-Clause
// Where NICs, their interrupts and the threads are.
#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/host/checks.hpp"
#include "tools/host/machine_parts.hpp"

namespace verbcast::tools {
namespace {

/// Not all of it carries data: packets of PCIe have headers.
constexpr double usable_part_of_link = 0.85;

bool contains(const std::vector<int>& numbers, int number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::string name_of(const topology::nic& nic) { return nic.netdev.empty() ? nic.device : nic.netdev; }

finding locality(const topology::nic& nic) {
    finding about{.id = "nic.locality",
                  .subject = name_of(nic),
                  .wanted = "one NUMA node",
                  .why = "threads and memory on another node than the NIC's cost up to half of the rate, and where the "
                         "firmware does not say which it is, they land anywhere"};
    if (nic.node) {
        about.measured = fmt::format("NUMA node {}", *nic.node);
        return well(about);
    }
    about.measured =
        nic.where == topology::locality::machine ? "the whole machine" : "several nodes, or none that is known";
    if (nic.pci_address.empty()) return not_known(about, "it is on no bus that says");
    about.fix = fmt::format(
        "echo NODE >/sys/bus/pci/devices/{}/numa_node, with the node that the board's manual names for the slot",
        nic.pci_address);
    about.persist =
        fmt::format("echo 'ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"{}\", ATTR{{numa_node}}=\"NODE\"' "
                    ">/etc/udev/rules.d/60-verbcast-numa.rules; better: a firmware that says it",
                    nic.pci_address);
    return bad(about, severity::warn);
}

finding link(const host_view& host, const topology::nic& nic) {
    const pcie_link carried = host.link_of(nic);
    const network_interface* const interface = host.find_interface(nic.netdev);
    finding about{.id = "nic.pcie",
                  .subject = name_of(nic),
                  .measured = link_text(carried),
                  .wanted = "a link that carries the port's rate, as wide and as fast as the card can",
                  .why = "what the link cannot carry is lost in the NIC"};
    if (carried.gigabytes_per_second <= 0) return not_known(about, "nobody says what its link carries");
    const double port = interface != nullptr && interface->megabits ? *interface->megabits / 8000.0 : 0;
    const double usable = carried.gigabytes_per_second * usable_part_of_link;
    about.fix =
        fmt::format("lspci -vv -s {} shows the link: move the card to a slot with {} lanes, or clean and reseat it",
                    nic.pci_address, carried.width_max > 0 ? carried.width_max : 16);
    if (port > usable) {
        about.measured += fmt::format(", of which {:.1f} carry data, for a port of {:.1f} GB/s", usable, port);
        return bad(about, severity::fail);
    }
    const bool narrow = carried.width_max > 0 && carried.width < carried.width_max;
    const bool slow = carried.gigatransfers_max > 0 && carried.gigatransfers < carried.gigatransfers_max;
    if (narrow || slow) {
        about.measured += fmt::format("; the card can x{} at {:g} GT/s", carried.width_max, carried.gigatransfers_max);
        // Enough all the same, where the port's rate is known.
        return port > 0 ? well(about) : bad(about, severity::warn);
    }
    if (port <= 0 && carried.width == 0)
        return not_known(about, "neither the port's rate nor what the card can is known");
    return well(about);
}

finding interrupts(const host_view& host, const topology::nic& nic, const std::vector<int>& ours) {
    finding about{.id = "irq.placement",
                  .subject = name_of(nic),
                  .wanted = "on the NIC's node, but not where its packets are received",
                  .why =
                      "an interrupt on a core that receives takes time from it; one on another node fetches everything "
                      "across the machine"};
    const std::vector<interrupt> all = host.interrupts_of(nic);
    if (all.empty()) return not_known(about, "its interrupts are not known");
    std::vector<int> elsewhere;
    for (const topology::cpu& each : host.layout.cpus)
        if (contains(nic.cpus, each.number) && !contains(ours, each.number)) elsewhere.push_back(each.number);
    std::set<int> wrong;
    for (const interrupt& each : all)
        for (const int cpu : each.cpus)
            if (!contains(nic.cpus, cpu) || (contains(ours, cpu) && !elsewhere.empty())) wrong.insert(each.number);
    about.measured = interrupts_text(all) + fmt::format("; to receive on: {}", list_of(ours));
    if (wrong.empty()) return well(about);
    about.fix = fmt::format("for irq in {}; do echo {} >/proc/irq/$irq/smp_affinity_list; done", fmt::join(wrong, " "),
                            list_of(elsewhere));
    about.persist = "run it at each boot, with irqbalance off: see docs/deployment.md";
    return bad(about, severity::warn);
}

finding balancer(const host_view& host) {
    finding about{.id = "irq.balance",
                  .measured = "irqbalance does not run",
                  .wanted = "nobody who moves interrupts",
                  .why = "irqbalance moves the NIC's interrupts every ten seconds, onto our cores too",
                  .fix = "systemctl stop irqbalance",
                  .persist = "systemctl disable irqbalance"};
    const std::optional<std::string> process = host.raw.text(host_snapshot::irqbalance_key);
    if (process) {
        about.measured = "irqbalance runs, as process " + *process;
        return bad(about, severity::warn);
    }
    if (!host.raw.absent(host_snapshot::irqbalance_key))
        return not_known(about, host.raw.why_not(host_snapshot::irqbalance_key));
    return well(about);
}

/// The NICs behind the interfaces that are looked at; all when none is named.
std::vector<std::size_t> nics_of(const host_view& host, const reception_plan& plan) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < host.layout.nics.size(); ++i) {
        const topology::nic* const each = &host.layout.nics[i];
        const bool named = std::any_of(plan.interfaces.begin(), plan.interfaces.end(),
                                       [&](const std::string& name) { return host.find_nic(name) == each; });
        if (plan.interfaces.empty() || named) chosen.push_back(i);
    }
    return chosen;
}

}  // namespace

void check_places(const host_view& host, const reception_plan& plan, findings& into) {
    const std::vector<placement_report> proposed = propose_threads(host.layout, plan.threads);
    for (const std::size_t i : nics_of(host, plan)) {
        const topology::nic& nic = host.layout.nics[i];
        into.push_back(locality(nic));
        into.push_back(link(host, nic));
        into.push_back(interrupts(host, nic, proposed[i].cores));
    }
    into.push_back(balancer(host));
}

}  // namespace verbcast::tools
