// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/privilege.hpp"

#include <fstream>

#include <linux/capability.h>
#include <sys/resource.h>

namespace verbcast::verbs {
namespace {

/// The number behind `field` in /proc/thread-self/status; 0 when it is not there.
std::uint64_t status_field(const std::string& field, int base) {
    std::ifstream status("/proc/thread-self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind(field + ":", 0) != 0) continue;
        return std::stoull(line.substr(field.size() + 1), nullptr, base);
    }
    return 0;
}

std::uint64_t kibibytes(std::uint64_t bytes) { return bytes / 1024 + (bytes % 1024 != 0); }

}  // namespace

bool has_capability(int capability) noexcept {
    try {
        return (status_field("CapEff", 16) >> capability & 1) != 0;
    } catch (...) {
        return false;
    }
}

locked_memory read_locked_memory() {
    locked_memory result;
    result.in_use_bytes = status_field("VmPin", 10) * 1024;
    rlimit limit{};
    if (!has_capability(CAP_IPC_LOCK) && ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        result.limit_bytes = limit.rlim_cur;
    return result;
}

std::optional<std::string> locked_memory_shortage(const locked_memory& now, std::uint64_t wanted_bytes) {
    if (!now.limit_bytes || now.in_use_bytes + wanted_bytes <= *now.limit_bytes) return {};
    const std::string needed = std::to_string(kibibytes(now.in_use_bytes + wanted_bytes));
    return "needs " + needed + " KiB of locked memory and may lock " + std::to_string(kibibytes(*now.limit_bytes)) +
           " KiB: run ulimit -l " + needed + " first, for good put \"* - memlock " + needed +
           "\" into /etc/security/limits.conf or LimitMEMLOCK=" + needed +
           "K into the systemd unit, or ask for a smaller buffer";
}

}  // namespace verbcast::verbs
