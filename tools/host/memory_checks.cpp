// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "tools/host/checks.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

/// The nodes of the NICs that are looked at; without any, those with CPUs.
std::set<int> receiving_nodes(const host_view& host, const reception_plan& plan) {
    std::set<int> nodes;
    for (const std::string& each : interfaces_of(host, plan))
        if (const topology::nic* nic = host.find_nic(each); nic != nullptr && nic->node) nodes.insert(*nic->node);
    if (!nodes.empty()) return nodes;
    for (const topology::cpu& each : host.layout.cpus)
        if (each.node) nodes.insert(*each.node);
    return nodes;
}

finding huge_pages(const host_view& host, const reception_plan& plan, int node) {
    constexpr std::uint64_t page = 2_MiB;
    const std::string file = fmt::format("/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/", node);
    const auto wanted = static_cast<std::int64_t>((plan.region_bytes + page - 1) / page);
    finding about{
        .id = "mem.huge_pages",
        .subject = fmt::format("node {}", node),
        .wanted = fmt::format("{} free pages of 2 MiB", wanted),
        .why = "a NIC that receives into small pages looks up an address for each, and its cache of them is small; "
               "for --reader ibv"};
    const std::optional<std::int64_t> free = host.raw.number(file + "free_hugepages"),
                                      all = host.raw.number(file + "nr_hugepages");
    if (!free || !all) return not_known(about, host.raw.why_not(file + (free ? "nr_hugepages" : "free_hugepages")));
    about.measured = fmt::format("{} free of {}", *free, *all);
    about.fix = fmt::format("echo {} >{}nr_hugepages", *all + std::max<std::int64_t>(wanted - *free, 0), file);
    about.persist = fmt::format("echo 'w {}nr_hugepages - - - - {}' >/etc/tmpfiles.d/verbcast-node{}.conf", file,
                                *all + std::max<std::int64_t>(wanted - *free, 0), node);
    return *free >= wanted ? well(about) : bad(about, severity::warn);
}

finding transparent_huge_pages(const host_view& host) {
    const std::string key = "/sys/kernel/mm/transparent_hugepage/enabled";
    finding about{
        .id = "mem.transparent_huge_pages",
        .wanted = "madvise",
        .why =
            "at \"always\" the kernel stops threads to move their memory together, unasked; at \"never\" heaps cannot "
            "have them",
        .fix = fmt::format("echo madvise >{}", key),
        .persist = "echo 'w " + key + " - - - - madvise' >/etc/tmpfiles.d/verbcast-thp.conf"};
    const std::optional<std::string> text = host.raw.text(key);
    if (!text && !host.raw.absent(key)) return not_known(about, host.raw.why_not(key));
    const std::size_t open = text.value_or("").find('['), close = text.value_or("").find(']');
    about.measured = !text                                        ? "this kernel has none"
                     : open < close && close != std::string::npos ? text->substr(open + 1, close - open - 1)
                                                                  : *text;
    return about.measured == "always" ? bad(about, severity::warn) : well(about);
}

finding iommu(const host_view& host, const reception_plan& plan) {
    finding about{
        .id = "host.iommu",
        .measured = "off, or passing through",
        .wanted = "off, or passing through",
        .why =
            "it translates each address that a NIC writes to, and its cache holds few of them: a NIC of 100 Gb/s loses "
            "packets over it",
        .persist = "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&iommu=pt /' /etc/default/grub && update-grub"};
    about.fix = about.persist + " && reboot";
    bool known = false;
    for (const std::string& each : interfaces_of(host, plan)) {
        const topology::nic* const nic = host.find_nic(each);
        if (nic == nullptr || nic->pci_address.empty()) continue;
        const std::string key = "/sys/bus/pci/devices/" + nic->pci_address + "/iommu_group/type";
        const std::optional<std::string> type = host.raw.text(key);
        known = known || type || host.raw.absent(key);
        if (!type || *type == "identity") continue;
        about.measured = fmt::format("translating for {} ({})", each, *type);
        return bad(about, severity::warn);
    }
    if (known) return well(about);
    if (host.raw.text("/sys/class/iommu/") && host.raw.names("/sys/class/iommu/").empty()) {
        about.measured = "there is none";
        return well(about);
    }
    if (host.raw.absent("/sys/class/iommu/")) return well(about);
    return not_known(about, host.raw.why_not("/sys/class/iommu/"));
}

finding swap(const host_view& host) {
    finding about{.id = "mem.swap",
                  .measured = "off",
                  .wanted = "off",
                  .why = "a heap whose memory was swapped out waits for a disk, and the NIC does not",
                  .fix = "swapoff -a",
                  .persist = "sed -i '/\\sswap\\s/s/^/#/' /etc/fstab"};
    const std::optional<std::string> text = host.raw.text("/proc/swaps");
    if (!text && !host.raw.absent("/proc/swaps")) return not_known(about, host.raw.why_not("/proc/swaps"));
    const std::vector<std::string> lines = lines_of(text.value_or(""));
    if (lines.size() < 2) return well(about);
    about.measured = "on: " + words_of(lines[1]).front();
    return bad(about, severity::warn);
}

finding balancing(const host_view& host) {
    const std::string key = "/proc/sys/kernel/numa_balancing";
    finding about{
        .id = "mem.numa_balancing",
        .measured = "off",
        .wanted = "off",
        .why = "the kernel takes pages away for a moment to see who uses them, those of a receiver too; what is placed "
               "already need not be balanced"};
    set_sysctl_fix(about, "kernel.numa_balancing", 0);
    const std::optional<std::int64_t> value = host.raw.number(key);
    if (!value && !host.raw.absent(key)) return not_known(about, host.raw.why_not(key));
    if (value.value_or(0) != 0) about.measured = "on";
    return value.value_or(0) != 0 && host.layout.nodes.size() > 1 ? bad(about, severity::warn) : well(about);
}

}  // namespace

void check_memory(const host_view& host, const reception_plan& plan, findings& into) {
    for (const int node : receiving_nodes(host, plan)) into.push_back(huge_pages(host, plan, node));
    into.push_back(transparent_huge_pages(host));
    into.push_back(iommu(host, plan));
    into.push_back(swap(host));
    into.push_back(balancing(host));
}

}  // namespace verbcast::tools
