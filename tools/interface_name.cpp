// SPDX-License-Identifier: BSD-3-Clause
#include "interface_name.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace verbcast::tools {
namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator each(folder, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error))
        names.push_back(each->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> interface_names() {
    struct name_list_end {
        void operator()(struct if_nameindex* list) const noexcept { ::if_freenameindex(list); }
    };
    const std::unique_ptr<struct if_nameindex, name_list_end> list(::if_nameindex());
    std::vector<std::string> names;
    for (const struct if_nameindex* each = list.get(); each != nullptr && each->if_name != nullptr; ++each)
        names.emplace_back(each->if_name);
    return names;
}

bool is_file_name(const std::string& text) {
    return !text.empty() && text != "." && text != ".." && text.find('/') == std::string::npos;
}

/// Those that an RDMA device owns: a NIC's by its PCI device, a software device's by its parent.
std::vector<std::string> interfaces_of_device(const std::filesystem::path& device) {
    std::vector<std::string> owned = names_in(device / "device" / "net");
    std::string parent;
    if (owned.empty() && std::ifstream(device / "parent") >> parent) owned.push_back(parent);
    return owned;
}

std::string text_of(const sockaddr& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.sa_family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
    else if (address.sa_family == AF_INET6)
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
    return text;
}

/// Empty when no interface has that address.
std::string interface_with_address(const std::string& address) {
    unsigned char bytes[sizeof(in6_addr)];
    char canonical[INET6_ADDRSTRLEN] = "";
    for (const int family : {AF_INET, AF_INET6})
        if (::inet_pton(family, address.c_str(), bytes) == 1) ::inet_ntop(family, bytes, canonical, sizeof canonical);
    if (*canonical == '\0') return {};
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) throw std::system_error(errno, std::system_category(), "getifaddrs");
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next)
        if (each->ifa_addr != nullptr && text_of(*each->ifa_addr) == canonical) return each->ifa_name;
    return {};
}

}  // namespace

std::string find_interface(const std::string& text, const std::string& sysfs) {
    // Not from sysfs, which may show another network namespace than ours.
    if (::if_nametoindex(text.c_str()) != 0) return text;
    const std::filesystem::path root(sysfs);
    if (is_file_name(text)) {
        const std::filesystem::path device = root / "class" / "infiniband" / text;
        const std::vector<std::string> owned = interfaces_of_device(device);
        if (owned.size() == 1) return owned.front();
        if (owned.size() > 1)
            throw std::runtime_error(fmt::format("--interface {}: this device has several interfaces; name one of: {}",
                                                 text, fmt::join(owned, ", ")));
    }
    if (std::string found = interface_with_address(text); !found.empty()) return found;
    throw std::runtime_error(
        fmt::format("--interface {}: this host has no such interface, RDMA device or address; its interfaces: {}", text,
                    fmt::join(interface_names(), ", ")));
}

}  // namespace verbcast::tools
