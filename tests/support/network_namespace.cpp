// SPDX-License-Identifier: BSD-3-Clause
#include "network_namespace.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skip.hpp"

namespace verbcast::test {
namespace {

bool write_file(const std::string& path, std::string_view text) {
    std::ofstream file(path);
    file << text;
    return static_cast<bool>(file.flush());
}

/// As root of a user namespace of its own, an ordinary user may make network namespaces. One thread only, then.
bool enter_user_namespace() {
    const uid_t user = getuid();
    const gid_t group = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    return write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1") &&
           write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
}

}  // namespace

void enter_network_namespace() {
    if (unshare(CLONE_NEWNET) != 0 && !enter_user_namespace()) {
        skip(std::string("a network namespace, as root or through unshare -Urn: ") + std::strerror(errno));
    }
    ip("link set lo up");
}

void ip(std::string_view arguments) {
    const std::string command = "ip " + std::string(arguments) + " 2>&1";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
    if (!pipe) throw std::runtime_error("cannot run ip(8)");
    std::string said;
    std::array<char, 256> part{};
    while (std::fgets(part.data(), part.size(), pipe.get())) said += part.data();
    if (!said.empty()) throw std::runtime_error(command + ": " + said);
}

bool set_sysctl(std::string_view name, std::string_view value) {
    return write_file("/proc/sys/" + std::string(name), value);
}

void make_veth_pair(std::string_view first, std::string_view other) {
    const std::string ends[] = {std::string(first), std::string(other)};
    ip("link add " + ends[0] + " type veth peer name " + ends[1]);
    for (int i = 0; i < 2; ++i) {
        const std::string& name = ends[i];
        const int host = i + 1;
        if (!set_sysctl("net/ipv4/conf/" + name + "/accept_local", "1") ||
            !set_sysctl("net/ipv4/conf/" + name + "/rp_filter", "0") ||
            !set_sysctl("net/ipv6/conf/" + name + "/accept_dad", "0")) {
            throw std::runtime_error("cannot set up " + name);
        }
        ip("link set " + name + " up");
        ip(fmt::format("address add 10.99.0.{}/24 dev {}", host, name));
        ip(fmt::format("address add fd99::{}/64 dev {} nodad", host, name));
    }
}

std::vector<std::string> joined_groups() {
    std::vector<std::string> all;
    std::string line;
    // "1  lo  :  1  V3", then lines such as "\t\t\t0100007F  1 0:00000000 0", in the byte order of the machine.
    std::ifstream v4("/proc/thread-self/net/igmp");
    std::string interface;
    std::getline(v4, line);
    while (std::getline(v4, line)) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (line.front() != '\t') {
            words >> interface;
            continue;
        }
        const in_addr address{static_cast<in_addr_t>(std::stoul(word, nullptr, 16))};
        all.push_back(interface + " " + inet_ntoa(address));
    }
    // "2  veth0  ff020000000000000000000000000001  1 0000000C 0"
    std::ifstream v6("/proc/thread-self/net/igmp6");
    while (std::getline(v6, line)) {
        std::istringstream words(line);
        std::string index, name, digits;
        words >> index >> name >> digits;
        in6_addr address{};
        for (std::size_t i = 0; i < 16; ++i) {
            address.s6_addr[i] = static_cast<std::uint8_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
        }
        char text[INET6_ADDRSTRLEN];
        all.push_back(name + " " + inet_ntop(AF_INET6, &address, text, sizeof text));
    }
    return all;
}

}  // namespace verbcast::test
