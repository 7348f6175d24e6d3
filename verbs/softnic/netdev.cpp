// SPDX-License-Identifier: BSD-3-Clause
#include "netdev.hpp"

#include "descriptor.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace softnic {
namespace {

ibv_gid link_local(const std::array<std::uint8_t, 6>& mac) {
    ibv_gid gid{};
    gid.raw[0] = 0xfe;
    gid.raw[1] = 0x80;
    const std::array<std::uint8_t, 8> identifier = interface_identifier(mac);
    std::memcpy(&gid.raw[8], identifier.data(), identifier.size());
    return gid;
}

ibv_gid gid_of(const sockaddr& address) {
    ibv_gid gid{};
    if (address.sa_family == AF_INET6) {
        std::memcpy(gid.raw, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, sizeof gid.raw);
    } else {
        gid.raw[10] = gid.raw[11] = 0xff;
        std::memcpy(&gid.raw[12], &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    }
    return gid;
}

bool same(const ibv_gid& a, const ibv_gid& b) noexcept { return std::memcmp(a.raw, b.raw, sizeof a.raw) == 0; }

void read_addresses(const std::string& interface, netdev& result) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    for (const int family : {AF_INET, AF_INET6}) {
        for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
            if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != family || interface != each->ifa_name)
                continue;
            const ibv_gid gid = gid_of(*each->ifa_addr);
            if (!same(gid, result.gids.front())) result.gids.push_back(gid);
        }
    }
}

}  // namespace

std::array<std::uint8_t, 8> interface_identifier(const std::array<std::uint8_t, 6>& mac) noexcept {
    return {static_cast<std::uint8_t>(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
}

bool owns_address(const netdev& interface, const ibv_gid& address) noexcept {
    return std::any_of(interface.gids.begin(), interface.gids.end(),
                       [&](const ibv_gid& each) { return same(each, address); });
}

netdev read_netdev(const std::string& interface) {
    netdev result;
    const descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    if (!socket || ::ioctl(socket.get(), SIOCGIFINDEX, &request) != 0) return result;
    result.index = request.ifr_ifindex;
    if (::ioctl(socket.get(), SIOCGIFMTU, &request) == 0) result.mtu_bytes = static_cast<std::size_t>(request.ifr_mtu);
    if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) == 0) {
        std::memcpy(result.mac.data(), request.ifr_hwaddr.sa_data, result.mac.size());
    }
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0) {
        result.up = (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
    }
    result.gids.push_back(link_local(result.mac));
    read_addresses(interface, result);
    return result;
}

}  // namespace softnic
