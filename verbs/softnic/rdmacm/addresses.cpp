// SPDX-License-Identifier: BSD-3-Clause
// The part of librdmacm that finds a device by an address: event channels, ids, binding. It knows the devices through
// the public verbs only.
#include "../event_queue.hpp"

#include <rdma/rdma_cma.h>

#include <arpa/inet.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#define SOFTNIC_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

/// Devices are opened once and stay open: the contexts that ids show belong to the library.
struct opened_device {
    ibv_context* verbs;
    ibv_pd* domain;
};

struct opened_devices {
    std::mutex mutex;
    std::vector<opened_device> all;
    bool looked = false;
};

struct event_channel : rdma_event_channel {
    softnic::event_queue<rdma_cm_event*> events;  // no event is ever raised: there are no connections
};

struct identifier : rdma_cm_id {
    std::unique_ptr<event_channel> own_channel;
};

const std::vector<opened_device>& devices() {
    // Never destroyed: ids may be used until the process ends.
    static opened_devices* const opened = new opened_devices;
    const std::scoped_lock lock(opened->mutex);
    if (std::exchange(opened->looked, true)) return opened->all;
    ibv_device** list = ibv_get_device_list(nullptr);
    for (ibv_device** each = list; each != nullptr && *each != nullptr; ++each) {
        ibv_context* verbs = ibv_open_device(*each);
        ibv_pd* domain = verbs == nullptr ? nullptr : ibv_alloc_pd(verbs);
        if (domain != nullptr) opened->all.push_back({verbs, domain});
    }
    if (list != nullptr) ibv_free_device_list(list);
    return opened->all;
}

std::optional<ibv_gid> gid_of(const sockaddr& address) noexcept {
    ibv_gid gid{};
    if (address.sa_family == AF_INET) {
        gid.raw[10] = gid.raw[11] = 0xff;
        std::memcpy(&gid.raw[12], &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    } else if (address.sa_family == AF_INET6) {
        std::memcpy(gid.raw, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, sizeof gid.raw);
    } else {
        return std::nullopt;
    }
    return gid;
}

bool is_wildcard(const sockaddr& address) noexcept {
    if (address.sa_family == AF_INET) {
        return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
    }
    return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool owns(ibv_context* verbs, const ibv_gid& wanted) {
    std::array<ibv_gid_entry, 256> entries;
    const ssize_t found = ibv_query_gid_table(verbs, entries.data(), entries.size(), 0);
    for (ssize_t i = 0; i < found; ++i) {
        if (std::memcmp(entries[static_cast<std::size_t>(i)].gid.raw, wanted.raw, sizeof wanted.raw) == 0) return true;
    }
    return false;
}

in_port_t& port_of(sockaddr_storage& address) noexcept {
    return address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                         : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

in_port_t any_port() noexcept {
    static std::atomic<std::uint16_t> next{0};
    constexpr std::uint16_t ephemeral_first = 49152;
    return htons(static_cast<std::uint16_t>(ephemeral_first + next.fetch_add(1) % (65536 - ephemeral_first)));
}

int minus_one(int error) noexcept {
    errno = error;
    return -1;
}

}  // namespace

SOFTNIC_EXPORT rdma_event_channel* rdma_create_event_channel() {
    try {
        auto* channel = new event_channel;
        channel->fd = channel->events.native_handle();
        return channel;
    } catch (const std::system_error& error) {
        errno = error.code().value();
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
    }
    return nullptr;
}

SOFTNIC_EXPORT void rdma_destroy_event_channel(rdma_event_channel* channel) {
    delete static_cast<event_channel*>(channel);
}

SOFTNIC_EXPORT int rdma_create_id(rdma_event_channel* channel, rdma_cm_id** id, void* user, rdma_port_space space) {
    try {
        auto made = std::make_unique<identifier>();
        if (channel == nullptr) {
            // Without a channel the calls are synchronous, and the id has one that nobody sees.
            made->own_channel = std::make_unique<event_channel>();
            made->own_channel->fd = made->own_channel->events.native_handle();
            channel = made->own_channel.get();
        }
        made->channel = channel;
        made->context = user;
        made->ps = space;
        made->qp_type = space == RDMA_PS_UDP || space == RDMA_PS_IPOIB ? IBV_QPT_UD : IBV_QPT_RC;
        *id = made.release();
        return 0;
    } catch (const std::system_error& error) {
        return minus_one(error.code().value());
    } catch (const std::bad_alloc&) {
        return minus_one(ENOMEM);
    }
}

SOFTNIC_EXPORT int rdma_destroy_id(rdma_cm_id* id) {
    delete static_cast<identifier*>(id);
    return 0;
}

SOFTNIC_EXPORT int rdma_bind_addr(rdma_cm_id* id, sockaddr* address) {
    if (address == nullptr) return minus_one(EINVAL);
    const std::optional<ibv_gid> wanted = gid_of(*address);
    if (!wanted || id->route.addr.src_addr.sa_family != AF_UNSPEC) return minus_one(EINVAL);
    if (!is_wildcard(*address)) {
        const opened_device* owner = nullptr;
        for (const opened_device& each : devices()) {
            if (owner == nullptr && owns(each.verbs, *wanted)) owner = &each;
        }
        if (owner == nullptr) return minus_one(ENODEV);
        id->verbs = owner->verbs;
        id->pd = owner->domain;
        id->port_num = 1;
    }
    const std::size_t bytes = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&id->route.addr.src_storage, address, bytes);
    in_port_t& port = port_of(id->route.addr.src_storage);
    if (port == 0) port = any_port();
    return 0;
}

SOFTNIC_EXPORT in_port_t rdma_get_src_port(rdma_cm_id* id) { return port_of(id->route.addr.src_storage); }
SOFTNIC_EXPORT in_port_t rdma_get_dst_port(rdma_cm_id* id) { return port_of(id->route.addr.dst_storage); }

SOFTNIC_EXPORT ibv_context** rdma_get_devices(int* number) {
    const std::vector<opened_device>& all = devices();
    // calloc: the user gives it back through rdma_free_devices, from C.
    auto** list = static_cast<ibv_context**>(std::calloc(all.size() + 1, sizeof(ibv_context*)));
    if (list == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    for (std::size_t i = 0; i < all.size(); ++i) list[i] = all[i].verbs;
    if (number != nullptr) *number = static_cast<int>(all.size());
    return list;
}

SOFTNIC_EXPORT void rdma_free_devices(ibv_context** list) { std::free(list); }

SOFTNIC_EXPORT int rdma_get_cm_event(rdma_event_channel* channel, rdma_cm_event** event) {
    const auto taken = static_cast<event_channel*>(channel)->events.take([](const rdma_cm_event*) {});
    if (!taken) return -1;
    *event = *taken;
    return 0;
}

SOFTNIC_EXPORT int rdma_ack_cm_event(rdma_cm_event*) { return minus_one(EINVAL); }

SOFTNIC_EXPORT const char* rdma_event_str(rdma_cm_event_type event) {
    static constexpr std::array texts{
        "RDMA_CM_EVENT_ADDR_RESOLVED",  "RDMA_CM_EVENT_ADDR_ERROR",      "RDMA_CM_EVENT_ROUTE_RESOLVED",
        "RDMA_CM_EVENT_ROUTE_ERROR",    "RDMA_CM_EVENT_CONNECT_REQUEST", "RDMA_CM_EVENT_CONNECT_RESPONSE",
        "RDMA_CM_EVENT_CONNECT_ERROR",  "RDMA_CM_EVENT_UNREACHABLE",     "RDMA_CM_EVENT_REJECTED",
        "RDMA_CM_EVENT_ESTABLISHED",    "RDMA_CM_EVENT_DISCONNECTED",    "RDMA_CM_EVENT_DEVICE_REMOVAL",
        "RDMA_CM_EVENT_MULTICAST_JOIN", "RDMA_CM_EVENT_MULTICAST_ERROR", "RDMA_CM_EVENT_ADDR_CHANGE",
        "RDMA_CM_EVENT_TIMEWAIT_EXIT"};
    return static_cast<std::size_t>(event) < texts.size() ? texts[event] : "UNKNOWN EVENT";
}
