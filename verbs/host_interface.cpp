// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/host_interface.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include <ifaddrs.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "verbs/file_descriptor.hpp"
#include "verbs/ip_address.hpp"
#include "verbs/os_error.hpp"

namespace verbcast::verbs {
namespace {

bool has_address(const ifaddrs& each, const ip_address& wanted) {
    if (each.ifa_addr == nullptr) return false;
    if (wanted.family == ip_family::v4 && each.ifa_addr->sa_family == AF_INET) {
        const auto& held = reinterpret_cast<const sockaddr_in&>(*each.ifa_addr).sin_addr;
        return std::memcmp(&held, wanted.bytes.data(), sizeof held) == 0;
    }
    if (wanted.family == ip_family::v6 && each.ifa_addr->sa_family == AF_INET6) {
        const auto& held = reinterpret_cast<const sockaddr_in6&>(*each.ifa_addr).sin6_addr;
        return std::memcmp(&held, wanted.bytes.data(), sizeof held) == 0;
    }
    return false;
}

std::string interface_of_address(const ip_address& wanted) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) throw os_error(errno, "getifaddrs()");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next)
        if (has_address(*each, wanted)) return each->ifa_name;
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

std::string interface_name(unsigned index) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

}  // namespace verbcast::verbs
