// SPDX-License-Identifier: BSD-3-Clause
// What this process may do.
#include <cstdlib>

#include <fmt/format.h>
#include <linux/capability.h>

#include "tools/host/checks.hpp"
#include "tools/human_units.hpp"

namespace verbcast::tools {
namespace {

/// Whether a set of /proc/self/status has a capability; none when it is not known.
std::optional<bool> has(const host_snapshot& raw, const char* set, int capability) {
    const std::optional<std::string> status = raw.text("/proc/self/status");
    const std::optional<std::string> bits = status ? field_of(*status, set) : std::nullopt;
    if (!bits) return std::nullopt;
    return (std::strtoull(bits->c_str(), nullptr, 16) >> capability & 1) != 0;
}

/// Every id of the outside is inside too, under the same number, in the first namespace only.
bool in_user_namespace(const host_snapshot& raw) {
    const std::vector<std::string> words = words_of(raw.text("/proc/self/uid_map").value_or("0 0 4294967295"));
    return words.size() != 3 || words[2] != "4294967295";
}

severity severity_for(const host_view& host) {
    // Without an RDMA device nothing needs it.
    const std::string devices = host.raw.text(host_snapshot::devices_key).value_or("");
    return devices.find("\"name\"") == std::string::npos ? severity::warn : severity::fail;
}

finding net_raw(const host_view& host) {
    finding about{
        .id = "verbs.cap_net_raw",
        .wanted = "CAP_NET_RAW, in the first user namespace",
        .why = "the kernel makes raw queue pairs and steering rules for who has it",
        .fix = "sudo verbcast run-raw -- COMMAND",
        .persist = "AmbientCapabilities=CAP_NET_RAW in the systemd unit, or --cap-add NET_RAW for docker and podman"};
    const std::optional<bool> effective = has(host.raw, "CapEff", CAP_NET_RAW);
    if (!effective) return not_known(about, host.raw.why_not("/proc/self/status"));
    const bool ambient = has(host.raw, "CapAmb", CAP_NET_RAW).value_or(false);
    about.measured = !*effective ? "not there" : ambient ? "effective, and ambient" : "effective";
    if (!*effective) return bad(about, severity_for(host));
    if (!in_user_namespace(host.raw)) return well(about);
    about.measured += ", but in a user namespace of its own, which counts for its own networks only";
    about.fix = "run it outside of the user namespace (rootless containers and unshare -U make one)";
    return bad(about, severity::warn);
}

/// "Max locked memory  8388608  8388608  bytes".
std::optional<std::string> locked_limit(const host_snapshot& raw) {
    for (const std::string& line : lines_of(raw.text("/proc/self/limits").value_or("")))
        if (line.starts_with("Max locked memory")) return words_of(line.substr(17)).front();
    return std::nullopt;
}

finding locked_memory(const host_view& host, const reception_plan& plan) {
    const std::uint64_t kibibytes = plan.region_bytes / 1024;
    finding about{.id = "verbs.locked_memory",
                  .wanted = fmt::format("{} or more, or CAP_IPC_LOCK", human_bytes(plan.region_bytes)),
                  .why = "a NIC writes to memory that stays where it is, and this is how much of it a process may have",
                  .fix = fmt::format("ulimit -l {}", kibibytes),
                  .persist =
                      fmt::format("LimitMEMLOCK={}K in the systemd unit; echo '* - memlock {}' "
                                  ">/etc/security/limits.d/verbcast.conf; --ulimit memlock={} for docker and podman",
                                  kibibytes, kibibytes, plan.region_bytes)};
    const std::optional<std::string> limit = locked_limit(host.raw);
    if (!limit) return not_known(about, host.raw.why_not("/proc/self/limits"));
    const bool exempt = has(host.raw, "CapEff", CAP_IPC_LOCK).value_or(false);
    const bool unlimited = *limit == "unlimited";
    const std::uint64_t bytes = unlimited ? 0 : std::strtoull(limit->c_str(), nullptr, 10);
    about.measured = (unlimited ? "no limit" : human_bytes(bytes)) + (exempt ? ", and CAP_IPC_LOCK" : "");
    return exempt || unlimited || bytes >= plan.region_bytes ? well(about) : bad(about, severity_for(host));
}

}  // namespace

void check_privileges(const host_view& host, const reception_plan& plan, findings& into) {
    into.push_back(net_raw(host));
    into.push_back(locked_memory(host, plan));
}

}  // namespace verbcast::tools
