// SPDX-License-Identifier: BSD-3-Clause
// The NIC's own queues: what libibverbs says of the devices.
#include <algorithm>

#include <fmt/format.h>

#include <verbcast/verbs_devices.hpp>

#include "tools/host/checks.hpp"
#include "tools/host/verbs_json.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

constexpr std::uint64_t frame_bytes = 9344;  // that ibv_reader_config's packet_bytes_max makes room for

void add(findings& into, finding about, bool good, severity otherwise) {
    into.push_back(good ? well(std::move(about)) : bad(std::move(about), otherwise));
}

/// Devices that the kernel has and libibverbs does not know lack their provider library.
void check_provider(const host_view& host, const verbs_devices& seen, findings& into) {
    finding about{.id = "verbs.provider",
                  .measured = "libibverbs knows every device of the kernel",
                  .wanted = "a provider library for each device",
                  .why = "the kernel's driver is half of a device; the other half is a library that programs load",
                  .fix = "apt-get install --yes ibverbs-providers"};
    about.persist = about.fix;
    std::string missing;
    for (const std::string& each : host.raw.names("/sys/class/infiniband/")) {
        const bool known = std::any_of(seen.devices.begin(), seen.devices.end(),
                                       [&](const auto& device) { return device.name == each; });
        if (!known) missing += (missing.empty() ? "" : ", ") + each;
    }
    if (!missing.empty()) about.measured = "no provider library for " + missing;
    add(into, about, missing.empty(), severity::fail);
}

void check_sizes(const verbs_device& each, const reception_plan& plan, findings& into) {
    const std::uint64_t frames = plan.region_bytes / frame_bytes;
    const std::string smaller =
        fmt::format("ask for a buffer of {} or less", human_bytes(std::uint64_t{each.receives_max} * frame_bytes));
    add(into,
        {.id = "verbs.queue_size",
         .subject = each.name,
         .measured =
             fmt::format("{} requests, {} completions", grouped(each.receives_max), grouped(each.completions_max)),
         .wanted = fmt::format("{} or more, for {} of frames", grouped(frames), human_bytes(plan.region_bytes)),
         .why = "a queue holds no more frames than this, however large the buffer",
         .fix = smaller},
        std::min(each.receives_max, each.completions_max) >= frames, severity::warn);
    add(into,
        {.id = "verbs.region_size",
         .subject = each.name,
         .measured = each.region_bytes_max >> 50 != 0 ? "no limit" : human_bytes(each.region_bytes_max),
         .wanted = human_bytes(plan.region_bytes) + " or more",
         .why = "memory is registered in pieces of at most this, and each piece takes room in the device's cache",
         .fix = fmt::format("ask for a buffer of {} or less", human_bytes(each.region_bytes_max))},
        each.region_bytes_max >= plan.region_bytes, severity::warn);
}

void check_device(const verbs_device& each, const reception_plan& plan, findings& into) {
    if (!each.trouble.empty()) {
        add(into,
            {.id = "verbs.device",
             .subject = each.name,
             .measured = each.trouble,
             .wanted = "a device that can be opened",
             .why = "without it the NIC's own queues cannot be used",
             .fix = "chmod 666 /dev/infiniband/uverbs*",
             .persist = "apt-get install --yes rdma-core has the udev rules that do it"},
            false, severity::fail);
        return;
    }
    add(into,
        {.id = "verbs.device",
         .subject = each.name,
         .measured = "opened" + (each.interface.empty() ? std::string(", but without a network interface")
                                                        : ", beside " + each.interface),
         .wanted = "a device that can be opened, with a network interface",
         .why = "groups are joined through the interface, and received through the device",
         .fix = "rdma link shows which interface belongs to which device; modprobe mlx5_ib"},
        !each.interface.empty(), severity::warn);
    add(into,
        {.id = "verbs.raw_queue_pair",
         .subject = each.name,
         .measured = each.queue_pair_refused.empty() ? "one could be made" : each.queue_pair_refused,
         .wanted = "one can be made",
         .why = "frames are received through it",
         .fix = "verbcast run-raw -- COMMAND",
         .persist = "AmbientCapabilities=CAP_NET_RAW in the systemd unit: see docs/deployment.md"},
        each.queue_pair_refused.empty(), severity::fail);
    if (each.queue_pair_refused.empty())
        add(into,
            {.id = "verbs.flow_steering",
             .subject = each.name,
             .measured = each.flow_rule_refused.empty() ? "a rule could be made" : each.flow_rule_refused,
             .wanted = "a rule can be made",
             .why = "without rules nothing is steered into a queue",
             .fix = "echo 'options mlx4_core log_num_mgm_entry_size=-1' >/etc/modprobe.d/verbcast.conf (mlx4; mlx5: "
                    "mlxconfig -d DEVICE set FLEX_PARSER_PROFILE_ENABLE=0), and reboot"},
            each.flow_rule_refused.empty(), severity::fail);
    check_sizes(each, plan, into);
    // Neither can be had by asking: they are the device's.
    add(into,
        {.id = "verbs.timestamps",
         .subject = each.name,
         .measured = each.timestamps ? "the device has a clock" : "the device has no clock",
         .wanted = "a clock",
         .why = "without one heaps carry no time of arrival, or the kernel's",
         .fix = "use a NIC with timestamps, or --reader udp for the kernel's"},
        each.timestamps, severity::warn);
    if (each.queue_pair_refused.empty() && each.flow_rule_refused.empty())
        add(into,
            {.id = "verbs.counters",
             .subject = each.name,
             .measured =
                 each.counts_flows ? "frames are counted for each rule" : "frames are not counted for each rule",
             .wanted = "a count for each rule",
             .why = "what the NIC lost of one group is otherwise known for the whole port only",
             .fix = "use a NIC that counts flows (ConnectX-5 and later)"},
            each.counts_flows, severity::warn);
}

}  // namespace

void check_verbs(const host_view& host, const reception_plan& plan, findings& into) {
    finding about{
        .id = "verbs.device",
        .measured = "there is none",
        .wanted = "an RDMA device for the NIC",
        .why = "without one only the kernel's sockets can be used (--reader udp): some 10 Gb/s a core instead of 100",
        .fix = "modprobe mlx5_ib, where the NIC is a ConnectX; verbcast softnic -- COMMAND to try things without one",
        .persist = "echo mlx5_ib >/etc/modules-load.d/verbcast.conf"};
    const std::optional<std::string> text = host.raw.text(host_snapshot::devices_key);
    if (!text) return into.push_back(not_known(about, host.raw.why_not(host_snapshot::devices_key)));
    try {
        const verbs_devices seen = verbs_devices_from_json(json::parse(*text));
        if (!seen.trouble.empty()) return into.push_back(not_known(about, seen.trouble));
        check_provider(host, seen, into);
        const auto meant = [&](const verbs_device& each) {
            return plan.interfaces.empty() || each.interface.empty() ||
                   std::any_of(plan.interfaces.begin(), plan.interfaces.end(), [&](const std::string& name) {
                       const network_interface* const on = host.find_interface(name);
                       return name == each.interface || name == each.name ||
                              (on != nullptr &&
                               std::find(on->below.begin(), on->below.end(), each.interface) != on->below.end());
                   });
        };
        const auto count = std::count_if(seen.devices.begin(), seen.devices.end(), meant);
        if (count == 0) into.push_back(bad(about, severity::warn));
        for (const verbs_device& each : seen.devices)
            if (meant(each)) check_device(each, plan, into);
        if (count != 0)
            add(into,
                {.id = "verbs.fork",
                 .measured = seen.fork_is_safe ? "safe" : "not safe",
                 .wanted = "safe",
                 .why = "a program that forks would take pages away from under the NIC",
                 .fix = "export IBV_FORK_SAFE=1",
                 .persist = "Environment=IBV_FORK_SAFE=1 in the systemd unit"},
                seen.fork_is_safe, severity::warn);
    } catch (const json::exception&) {
        into.push_back(not_known(about, "the list of devices is damaged"));
    }
}

}  // namespace verbcast::tools
