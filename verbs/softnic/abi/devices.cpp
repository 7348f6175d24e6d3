// SPDX-License-Identifier: BSD-3-Clause
// The device list, opening and closing.
#include "abi.hpp"

#include <cstdlib>

using namespace softnic;

SOFTNIC_EXPORT ibv_device** ibv_get_device_list(int* number) {
    if (number != nullptr) *number = 0;
    return abi::as_handle<ibv_device*>([&](ibv_device**& list) {
        library& all = library::instance();
        if (!all.usable()) return EINVAL;
        if (const int error = planned_failure("ibv_get_device_list"); error != 0) return error;
        // calloc: the user gives it back through ibv_free_device_list, from C.
        list = static_cast<ibv_device**>(std::calloc(all.devices().size() + 1, sizeof(ibv_device*)));
        if (list == nullptr) return ENOMEM;
        int index = 0;
        for (const auto& each : all.devices()) list[index++] = each->handle();
        if (number != nullptr) *number = index;
        return 0;
    });
}

SOFTNIC_EXPORT void ibv_free_device_list(ibv_device** list) { std::free(list); }

SOFTNIC_EXPORT const char* ibv_get_device_name(ibv_device* handle) { return handle->name; }

SOFTNIC_EXPORT int ibv_get_device_index(ibv_device* handle) { return device::of(handle).index(); }

SOFTNIC_EXPORT __be64 ibv_get_device_guid(ibv_device* handle) { return device::of(handle).guid(); }

SOFTNIC_EXPORT ibv_context* ibv_open_device(ibv_device* handle) {
    return abi::as_handle<ibv_context>([&](ibv_context*& opened) {
        device& wanted = device::of(handle);
        if (const int error = abi::refusal("ibv_open_device", wanted); error != 0) return error;
        opened = (new device_context(wanted))->handle();
        return 0;
    });
}

SOFTNIC_EXPORT int ibv_close_device(ibv_context* handle) {
    if (const int error = planned_failure("ibv_close_device"); error != 0) return error;
    delete &device_context::of(handle);
    return 0;
}

SOFTNIC_EXPORT ibv_context* ibv_import_device(int) {
    errno = EOPNOTSUPP;
    return nullptr;
}

// A fork copies neither threads nor the cable: as with hardware, the child leaves the device alone, and as with a
// kernel that copies pinned pages at fork, nothing has to be prepared.
SOFTNIC_EXPORT int ibv_fork_init() { return planned_failure("ibv_fork_init"); }
SOFTNIC_EXPORT ibv_fork_status ibv_is_fork_initialized() { return IBV_FORK_UNNEEDED; }
SOFTNIC_EXPORT int ibv_dontfork_range(void*, std::size_t) { return 0; }
SOFTNIC_EXPORT int ibv_dofork_range(void*, std::size_t) { return 0; }
