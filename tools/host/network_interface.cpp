// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/network_interface.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace verbcast::tools {
namespace {

/// A socket to ask the kernel by.
class questioner {
public:
    questioner() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        if (socket_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
    }
    ~questioner() { ::close(socket_); }
    questioner(const questioner&) = delete;
    questioner& operator=(const questioner&) = delete;

    bool ask(unsigned long question, ifreq& request) const { return ::ioctl(socket_, question, &request) == 0; }

    template <class Answer>
    std::optional<Answer> ask_ethtool(const std::string& interface, std::uint32_t command) const {
        Answer answer{};
        answer.cmd = command;
        ifreq request{};
        interface.copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_data = reinterpret_cast<char*>(&answer);
        if (!ask(SIOCETHTOOL, request)) return std::nullopt;
        return answer;
    }

private:
    int socket_;
};

template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {
    return {field, ::strnlen(field, Size)};
}

void add_address(network_interface& into, const sockaddr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
        into.addresses.emplace_back(text.data());
    } else if (address.sa_family == AF_INET6) {
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text.data(), text.size());
        into.addresses.emplace_back(text.data());
    } else if (address.sa_family == AF_PACKET) {
        const auto& link = reinterpret_cast<const sockaddr_ll&>(address);
        into.index = link.sll_ifindex;
        for (int i = 0; i < link.sll_halen && i < 8; ++i)
            into.mac += fmt::format("{}{:02x}", i == 0 ? "" : ":", link.sll_addr[i]);
    }
}

std::vector<std::string> interfaces_below(const std::string& name) {
    std::vector<std::string> below;
    std::error_code error;
    std::filesystem::directory_iterator each("/sys/class/net/" + name, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
        const std::string entry = each->path().filename().string();
        constexpr std::string_view prefix = "lower_";
        if (std::string_view(entry).starts_with(prefix)) below.push_back(entry.substr(prefix.size()));
    }
    std::sort(below.begin(), below.end());
    return below;
}

void ask_driver(network_interface& into, const questioner& kernel) {
    if (const auto info = kernel.ask_ethtool<ethtool_drvinfo>(into.name, ETHTOOL_GDRVINFO)) {
        into.driver = text_of(info->driver);
        const std::string bus = text_of(info->bus_info);
        if (std::filesystem::exists("/sys/bus/pci/devices/" + bus) && !bus.empty()) into.bus = bus;
    }
    if (const auto rings = kernel.ask_ethtool<ethtool_ringparam>(into.name, ETHTOOL_GRINGPARAM))
        into.rings = {.receive = rings->rx_pending, .receive_max = rings->rx_max_pending};
    if (const auto pause = kernel.ask_ethtool<ethtool_pauseparam>(into.name, ETHTOOL_GPAUSEPARAM))
        into.pause = {.receive = pause->rx_pause != 0, .send = pause->tx_pause != 0};
    // The older question suffices for the speed, and every driver answers it.
    if (const auto link = kernel.ask_ethtool<ethtool_cmd>(into.name, ETHTOOL_GSET)) {
        const std::uint32_t speed = ethtool_cmd_speed(&*link);
        if (speed != 0 && speed != static_cast<std::uint32_t>(SPEED_UNKNOWN)) into.megabits = speed;
    }
}

void ask_kernel(network_interface& into, const questioner& kernel) {
    ifreq request{};
    into.name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (kernel.ask(SIOCGIFMTU, request)) into.mtu = request.ifr_mtu;
    ask_driver(into, kernel);
    into.below = interfaces_below(into.name);
}

template <class Value>
void take(const json& from, const char* key, Value& into) {
    if (const auto found = from.find(key); found != from.end() && !found->is_null()) into = found->get<Value>();
}

}  // namespace

std::vector<network_interface> read_interfaces() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) throw std::system_error(errno, std::generic_category(), "getifaddrs");
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
    std::map<std::string, network_interface> found;
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
        const std::string name(each->ifa_name);
        network_interface& into = found[name.substr(0, name.find(':'))];  // eth0:1 is an address of eth0
        into.up = (each->ifa_flags & IFF_UP) != 0;
        into.carrier = (each->ifa_flags & IFF_RUNNING) != 0;
        into.loopback = (each->ifa_flags & IFF_LOOPBACK) != 0;
        into.multicast = (each->ifa_flags & IFF_MULTICAST) != 0;
        if (each->ifa_addr != nullptr) add_address(into, *each->ifa_addr);
    }
    const questioner kernel;
    std::vector<network_interface> all;
    for (auto& [name, each] : found) {
        each.name = name;
        ask_kernel(each, kernel);
        all.push_back(std::move(each));
    }
    std::sort(all.begin(), all.end(), [](const auto& one, const auto& other) { return one.index < other.index; });
    return all;
}

json to_json(const std::vector<network_interface>& interfaces) {
    json list = json::array();
    for (const network_interface& each : interfaces) {
        json rings = nullptr, pause = nullptr, megabits = nullptr;
        if (each.rings) rings = {{"receive", each.rings->receive}, {"receive_max", each.rings->receive_max}};
        if (each.pause) pause = {{"receive", each.pause->receive}, {"send", each.pause->send}};
        if (each.megabits) megabits = *each.megabits;
        list.push_back({{"name", each.name},
                        {"index", each.index},
                        {"mtu", each.mtu},
                        {"up", each.up},
                        {"carrier", each.carrier},
                        {"loopback", each.loopback},
                        {"multicast", each.multicast},
                        {"mac", each.mac},
                        {"addresses", each.addresses},
                        {"driver", each.driver},
                        {"bus", each.bus},
                        {"below", each.below},
                        {"megabits", megabits},
                        {"rings", rings},
                        {"pause", pause}});
    }
    return list;
}

std::vector<network_interface> interfaces_from_json(const json& list) {
    std::vector<network_interface> interfaces;
    for (const json& each : list) {
        network_interface& made = interfaces.emplace_back();
        take(each, "name", made.name);
        take(each, "index", made.index);
        take(each, "mtu", made.mtu);
        take(each, "up", made.up);
        take(each, "carrier", made.carrier);
        take(each, "loopback", made.loopback);
        take(each, "multicast", made.multicast);
        take(each, "mac", made.mac);
        take(each, "addresses", made.addresses);
        take(each, "driver", made.driver);
        take(each, "bus", made.bus);
        take(each, "below", made.below);
        if (const auto speed = each.find("megabits"); speed != each.end() && !speed->is_null())
            made.megabits = speed->get<std::uint32_t>();
        if (const auto rings = each.find("rings"); rings != each.end() && !rings->is_null())
            made.rings = {.receive = rings->at("receive").get<std::uint32_t>(),
                          .receive_max = rings->at("receive_max").get<std::uint32_t>()};
        if (const auto pause = each.find("pause"); pause != each.end() && !pause->is_null())
            made.pause = {.receive = pause->at("receive").get<bool>(), .send = pause->at("send").get<bool>()};
    }
    return interfaces;
}

}  // namespace verbcast::tools
