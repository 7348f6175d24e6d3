// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/host_interface.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include <ifaddrs.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "verbs/file_descriptor.hpp"
#include "verbs/os_error.hpp"

namespace verbcast::verbs {
namespace {

ip_address address_in(const sockaddr* held) noexcept {
    ip_address result;
    if (held == nullptr) return result;
    if (held->sa_family == AF_INET) {
        const auto& address = reinterpret_cast<const sockaddr_in&>(*held).sin_addr;
        std::memcpy(result.bytes.data(), &address, sizeof address);
        result.family = ip_family::v4;
    } else if (held->sa_family == AF_INET6) {
        const auto& address = reinterpret_cast<const sockaddr_in6&>(*held).sin6_addr;
        std::memcpy(result.bytes.data(), &address, sizeof address);
        result.family = ip_family::v6;
    }
    return result;
}

/// An address of this host and the interface that has it: the first of which `wanted(name, address)` is true.
template <class Predicate>
std::optional<std::pair<std::string, ip_address>> find_address(Predicate wanted) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) throw os_error(errno, "getifaddrs()");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
        const ip_address address = address_in(each->ifa_addr);
        if (address.family != ip_family::none && wanted(each->ifa_name, address)) return {{each->ifa_name, address}};
    }
    return {};
}

std::string interface_of_address(const ip_address& wanted) {
    const auto found = find_address([&](const auto&, const ip_address& each) { return each == wanted; });
    if (found) return found->first;
    throw os_error(EADDRNOTAVAIL, "looking for an interface with the address " + wanted.to_string(),
                   "ip address shows those of this machine");
}

mac_address read_mac(int socket, const std::string& name) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    mac_address mac{};
    if (::ioctl(socket, SIOCGIFHWADDR, &request) == 0) std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

void read_vlan(int socket, host_interface& of) {
    vlan_ioctl_args request{};
    request.cmd = GET_VLAN_VID_CMD;
    of.name.copy(request.device1, sizeof request.device1 - 1);
    if (::ioctl(socket, SIOCGIFVLAN, &request) != 0) return;  // not a VLAN's, or a kernel without VLANs
    const auto id = static_cast<std::uint16_t>(request.u.VID);
    request = {};
    request.cmd = GET_VLAN_REALDEV_NAME_CMD;
    of.name.copy(request.device1, sizeof request.device1 - 1);
    if (::ioctl(socket, SIOCGIFVLAN, &request) != 0) return;
    of.vlan = id;
    of.parent = request.u.device2;
}

}  // namespace

host_interface find_host_interface(const std::string& name_or_address) {
    host_interface result;
    const auto address = ip_address::from_string(name_or_address);
    result.name = address ? interface_of_address(*address) : name_or_address;
    result.index = interface_index(result.name);
    const file_descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) throw os_error(errno, "socket(AF_INET, SOCK_DGRAM)");
    result.mac = read_mac(socket.get(), result.name);
    read_vlan(socket.get(), result);
    std::ifstream bonded("/sys/class/net/" + result.name + "/bonding/slaves");
    for (std::string each; bonded >> each;) result.bonded.push_back(each);
    return result;
}

ip_address address_of(const host_interface& of, ip_family family) {
    const auto found = find_address(
        [&](const auto& name, const ip_address& each) { return name == of.name && each.family == family; });
    if (found) return found->second;
    throw os_error(EADDRNOTAVAIL, "looking for an address of " + of.name + " to send from", "name one, or give it one");
}

std::string interface_name(unsigned index) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

}  // namespace verbcast::verbs
