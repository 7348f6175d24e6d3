// SPDX-License-Identifier: BSD-3-Clause
#include "privileges.hpp"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace softnic {
namespace {

bool has_capability(unsigned number) noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
    return (data[number / 32].effective >> (number % 32) & 1) != 0;
}

}  // namespace

bool may_use_raw_queue_pairs() noexcept { return has_capability(CAP_NET_RAW); }

bool may_lock(std::size_t locked_bytes, std::size_t more_bytes) noexcept {
    rlimit limit{};
    if (has_capability(CAP_IPC_LOCK) || ::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return true;
    return limit.rlim_cur == RLIM_INFINITY ||
           (more_bytes <= limit.rlim_cur && locked_bytes <= limit.rlim_cur - more_bytes);
}

bool is_mapped(const void* address, std::size_t bytes, bool writable) {
    auto at = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t end = at + bytes;
    if (end < at) return false;
    std::ifstream maps("/proc/self/maps");
    if (!maps) return true;  // no proc: nothing can be said
    for (std::string line; at < end && std::getline(maps, line);) {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        char write = '-';
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*c%c", &from, &to, &write) != 3 || to <= at) continue;
        if (from > at || (writable && write != 'w')) return false;
        at = to;
    }
    return at >= end;
}

}  // namespace softnic
