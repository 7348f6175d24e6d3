// SPDX-License-Identifier: BSD-3-Clause
// What a device and its port say about themselves.
#include "../clock.hpp"
#include "abi.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <string>

#undef ibv_query_port

using namespace softnic;

namespace {

/// GIDs are read anew each time, since addresses come and go.
int find_gid(ibv_context* handle, std::uint32_t port_number, std::uint32_t index, ibv_gid_entry& entry) {
    if (port_number != limits::port) return EINVAL;
    const netdev seen = device_context::of(handle).owner.interface();
    if (index >= seen.gids.size()) return ENODATA;
    entry.gid = seen.gids[index];
    entry.gid_index = index;
    entry.port_num = port_number;
    entry.gid_type = IBV_GID_TYPE_ROCE_V2;
    entry.ndev_ifindex = static_cast<std::uint32_t>(seen.index);
    return 0;
}

/// For the queries that return -1 and set errno.
int minus_one(int error) noexcept {
    if (error == 0) return 0;
    errno = error;
    return -1;
}

}  // namespace

int abi::query_device_ex(ibv_context* handle, const ibv_query_device_ex_input* input, ibv_device_attr_ex* attributes,
                         std::size_t bytes) {
    if (input != nullptr && input->comp_mask != 0) return EINVAL;
    if (const int error = refusal("ibv_query_device_ex", handle); error != 0) return error;
    ibv_device_attr_ex all;
    device_context::of(handle).owner.query(all);
    // A program built with older headers has a shorter structure.
    std::memcpy(attributes, &all, std::min(bytes, sizeof all));
    return 0;
}

int abi::query_port(ibv_context* handle, std::uint8_t number, ibv_port_attr* attributes, std::size_t bytes) {
    return as_error([&] {
        if (const int error = refusal("ibv_query_port", handle); error != 0) return error;
        ibv_port_attr all{};
        if (const int error = device_context::of(handle).owner.query_port(number, all); error != 0) return error;
        std::memcpy(attributes, &all, std::min(bytes, sizeof all));
        return 0;
    });
}

int abi::query_rt_values(ibv_context* handle, ibv_values_ex* values) {
    if (const int error = refusal("ibv_query_rt_values_ex", handle); error != 0) return error;
    if ((values->comp_mask & ~std::uint32_t{IBV_VALUES_MASK_RAW_CLOCK}) != 0) return EINVAL;
    // As hardware does: ticks, all of them in the nanoseconds.
    if (values->comp_mask != 0) values->raw_clock = {.tv_sec = 0, .tv_nsec = static_cast<long>(device_clock_ns())};
    return 0;
}

SOFTNIC_EXPORT int ibv_query_device(ibv_context* handle, ibv_device_attr* attributes) {
    if (const int error = abi::refusal("ibv_query_device", handle); error != 0) return error;
    ibv_device_attr_ex all;
    device_context::of(handle).owner.query(all);
    *attributes = all.orig_attr;
    return 0;
}

SOFTNIC_EXPORT int ibv_query_port(ibv_context* handle, std::uint8_t number, _compat_ibv_port_attr* attributes) {
    // The structure of programs built before port_cap_flags2 was added at its end.
    return abi::query_port(handle, number, reinterpret_cast<ibv_port_attr*>(attributes),
                           offsetof(ibv_port_attr, port_cap_flags2));
}

SOFTNIC_EXPORT int ibv_query_gid(ibv_context* handle, std::uint8_t port_number, int index, ibv_gid* gid) {
    return minus_one(abi::as_error([&] {
        if (const int error = abi::refusal("ibv_query_gid", handle); error != 0) return error;
        ibv_gid_entry entry{};
        if (index < 0) return EINVAL;
        const int error = find_gid(handle, port_number, static_cast<std::uint32_t>(index), entry);
        if (error == 0) *gid = entry.gid;
        return error;
    }));
}

SOFTNIC_EXPORT int _ibv_query_gid_ex(ibv_context* handle, std::uint32_t port_number, std::uint32_t index,
                                     ibv_gid_entry* entry, std::uint32_t flags, std::size_t bytes) {
    return abi::as_error([&] {
        if (const int error = abi::refusal("ibv_query_gid_ex", handle); error != 0) return error;
        if (flags != 0) return EOPNOTSUPP;
        ibv_gid_entry found{};
        const int error = find_gid(handle, port_number, index, found);
        if (error == 0) std::memcpy(entry, &found, std::min(bytes, sizeof found));
        return error;
    });
}

SOFTNIC_EXPORT ssize_t _ibv_query_gid_table(ibv_context* handle, ibv_gid_entry* entries, std::size_t entries_max,
                                            std::uint32_t flags, std::size_t bytes) {
    std::size_t found = 0;
    const int error = abi::as_error([&] {
        if (const int refused = abi::refusal("ibv_query_gid_table", handle); refused != 0) return refused;
        if (flags != 0) return EOPNOTSUPP;
        const std::size_t gids = device_context::of(handle).owner.interface().gids.size();
        if (gids > entries_max) return EINVAL;
        for (; found < gids; ++found) {
            ibv_gid_entry entry{};
            if (find_gid(handle, limits::port, static_cast<std::uint32_t>(found), entry) != 0) break;
            std::memcpy(reinterpret_cast<std::byte*>(entries) + found * bytes, &entry, std::min(bytes, sizeof entry));
        }
        return 0;
    });
    return error == 0 ? static_cast<ssize_t>(found) : -error;
}

/// Private, and used by ibv_devinfo. The type is that of sysfs: 0 for IB and RoCE v1, 1 for RoCE v2.
SOFTNIC_EXPORT int ibv_query_gid_type(ibv_context* handle, std::uint8_t port_number, unsigned index, unsigned* type) {
    return minus_one(abi::as_error([&] {
        ibv_gid_entry entry{};
        const int error = find_gid(handle, port_number, index, entry);
        *type = 1;
        return error;
    }));
}

SOFTNIC_EXPORT int ibv_query_pkey(ibv_context* handle, std::uint8_t port_number, int index, __be16* pkey) {
    int error = abi::refusal("ibv_query_pkey", handle);
    if (error == 0 && (port_number != limits::port || index != 0)) error = EINVAL;
    if (error == 0) *pkey = 0xffff;
    return minus_one(error);
}

SOFTNIC_EXPORT int ibv_get_pkey_index(ibv_context*, std::uint8_t port_number, __be16 pkey) {
    return port_number == limits::port && pkey == 0xffff ? 0 : minus_one(EINVAL);
}

SOFTNIC_EXPORT const char* ibv_get_sysfs_path() { return "/sys"; }

SOFTNIC_EXPORT int ibv_read_sysfs_file(const char* folder, const char* file, char* buffer, std::size_t bytes) {
    const std::string path = std::string(folder) + "/" + file;
    const descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened || bytes == 0) return -1;
    const ssize_t got = ::read(opened.get(), buffer, bytes - 1);
    if (got < 0) return -1;
    int length = static_cast<int>(got);
    if (length > 0 && buffer[length - 1] == '\n') --length;
    buffer[length] = '\0';
    return length;
}
