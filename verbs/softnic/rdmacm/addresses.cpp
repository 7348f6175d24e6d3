// SPDX-License-Identifier: BSD-3-Clause
// The part of librdmacm that finds a device by an address: event channels, ids, binding and resolving. It knows the
// devices through the public verbs only.
#include "../descriptor.hpp"
#include "../event_queue.hpp"

#include <rdma/rdma_cma.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
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
    softnic::event_queue<rdma_cm_event*> events;  // of addresses only: there are no connections
};

struct identifier : rdma_cm_id {
    std::unique_ptr<event_channel> own_channel;  ///< of an id whose calls are synchronous
    std::mutex mutex;
    std::condition_variable acknowledged;
    int events_taken = 0;  ///< and not yet acknowledged
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

std::size_t size_of(const sockaddr& address) noexcept {
    return address.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

/// Gives the id the address, and the device that has it; a wildcard is of no device. Returns 0 or an errno.
int bind_to(rdma_cm_id& id, const sockaddr& address) {
    const std::optional<ibv_gid> wanted = gid_of(address);
    if (!wanted) return EINVAL;
    if (!is_wildcard(address)) {
        const opened_device* owner = nullptr;
        for (const opened_device& each : devices()) {
            if (owner == nullptr && owns(each.verbs, *wanted)) owner = &each;
        }
        if (owner == nullptr) return ENODEV;
        id.verbs = owner->verbs;
        id.pd = owner->domain;
        id.port_num = 1;
    }
    std::memcpy(&id.route.addr.src_storage, &address, size_of(address));
    in_port_t& port = port_of(id.route.addr.src_storage);
    if (port == 0) port = any_port();
    return 0;
}

/// The address that the kernel's routes would send from. Returns 0 or an errno.
int source_towards(const sockaddr& destination, sockaddr_storage& source) {
    const softnic::descriptor socket(::socket(destination.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return errno;
    sockaddr_storage towards{};
    std::memcpy(&towards, &destination, size_of(destination));
    if (port_of(towards) == 0) port_of(towards) = htons(9);  // the port does not matter, but there has to be one
    const auto bytes = static_cast<socklen_t>(size_of(destination));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&towards), bytes) != 0) return errno;
    socklen_t room = sizeof source;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&source), &room) != 0) return errno;
    port_of(source) = 0;
    return 0;
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

/// Waits until the events of the id that were taken have been acknowledged; those that were not are gone.
SOFTNIC_EXPORT int rdma_destroy_id(rdma_cm_id* id) {
    auto* const ending = static_cast<identifier*>(id);
    static_cast<event_channel*>(id->channel)->events.purge([&](rdma_cm_event* each) {
        if (each->id != id) return false;
        delete each;
        return true;
    });
    {
        std::unique_lock lock(ending->mutex);
        ending->acknowledged.wait(lock, [&] { return ending->events_taken == 0; });
    }
    delete ending;
    return 0;
}

SOFTNIC_EXPORT int rdma_bind_addr(rdma_cm_id* id, sockaddr* address) {
    if (address == nullptr || id->route.addr.src_addr.sa_family != AF_UNSPEC) return minus_one(EINVAL);
    const int error = bind_to(*id, *address);
    return error == 0 ? 0 : minus_one(error);
}

/// The result is known at once, and comes as an event all the same, unless the id is synchronous.
SOFTNIC_EXPORT int rdma_resolve_addr(rdma_cm_id* id, sockaddr* source, sockaddr* destination, int) {
    if (destination == nullptr || !gid_of(*destination)) return minus_one(EINVAL);
    if (id->route.addr.dst_addr.sa_family != AF_UNSPEC) return minus_one(EINVAL);
    const bool bound = id->route.addr.src_addr.sa_family != AF_UNSPEC;
    if (source != nullptr && source->sa_family != AF_UNSPEC) {
        const int error = bound ? EINVAL : bind_to(*id, *source);
        if (error != 0) return minus_one(error);
    }
    int error = 0;
    if (id->verbs == nullptr) {
        sockaddr_storage local{};
        error = source_towards(*destination, local);
        if (error == 0) error = bind_to(*id, reinterpret_cast<const sockaddr&>(local));
    }
    if (error == 0) std::memcpy(&id->route.addr.dst_storage, destination, size_of(*destination));
    if (static_cast<identifier*>(id)->own_channel) return error == 0 ? 0 : minus_one(error);
    auto* const event = new (std::nothrow) rdma_cm_event{};
    if (event == nullptr) return minus_one(ENOMEM);
    event->id = id;
    event->event = error == 0 ? RDMA_CM_EVENT_ADDR_RESOLVED : RDMA_CM_EVENT_ADDR_ERROR;
    event->status = -error;
    static_cast<event_channel*>(id->channel)->events.push(event);
    return 0;
}

/// Options concern connections; those of an id are taken as they are, since receivers set them before they bind.
SOFTNIC_EXPORT int rdma_set_option(rdma_cm_id*, int level, int option, void*, std::size_t bytes) {
    if (level != RDMA_OPTION_ID) return minus_one(ENOSYS);
    switch (option) {
    case RDMA_OPTION_ID_TOS:
    case RDMA_OPTION_ID_ACK_TIMEOUT: return bytes == sizeof(std::uint8_t) ? 0 : minus_one(EINVAL);
    case RDMA_OPTION_ID_REUSEADDR:
    case RDMA_OPTION_ID_AFONLY: return bytes == sizeof(int) ? 0 : minus_one(EINVAL);
    default: return minus_one(ENOSYS);
    }
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
    const auto taken = static_cast<event_channel*>(channel)->events.take([](const rdma_cm_event* each) {
        auto* const concerned = static_cast<identifier*>(each->id);
        const std::scoped_lock lock(concerned->mutex);
        ++concerned->events_taken;
    });
    if (!taken) return -1;
    *event = *taken;
    return 0;
}

SOFTNIC_EXPORT int rdma_ack_cm_event(rdma_cm_event* event) {
    if (event == nullptr) return minus_one(EINVAL);
    auto* const concerned = static_cast<identifier*>(event->id);
    {
        const std::scoped_lock lock(concerned->mutex);
        --concerned->events_taken;
        concerned->acknowledged.notify_all();
    }
    delete event;
    return 0;
}

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
