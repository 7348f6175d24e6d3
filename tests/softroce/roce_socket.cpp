// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/roce_socket.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "support/network_namespace.hpp"

namespace verbcast::test {
namespace {

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::generic_category(), call);
}

/// This thread, in the namespace of the other host.
class visit {
public:
    visit()
        : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)),
          peer_(::open("/run/netns/peer", O_RDONLY | O_CLOEXEC)) {
        require(static_cast<bool>(home_), "open of this network namespace");
        require(static_cast<bool>(peer_), "open of the network namespace peer");
        require(::setns(peer_.get(), CLONE_NEWNET) == 0, "setns");
    }
    ~visit() { ::setns(home_.get(), CLONE_NEWNET); }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

private:
    verbs::file_descriptor home_;
    verbs::file_descriptor peer_;
};

void set(int socket, int level, int option, int value, const char* name) {
    require(::setsockopt(socket, level, option, &value, sizeof value) == 0, name);
}

verbs::ip_address address(const std::string& text) {
    const auto parsed = verbs::ip_address::from_string(text);
    if (!parsed) throw std::invalid_argument("not an address: " + text);
    return *parsed;
}

}  // namespace

roce_socket::roce_socket(const std::string& destination, const std::string& source)
    : route_{.source = address(source), .destination = address(destination)} {
    const visit there;
    const bool v4 = route_.destination.family == verbs::ip_family::v4;
    const unsigned index = ::if_nametoindex("veth0");
    socket_ = verbs::file_descriptor(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    require(static_cast<bool>(socket_), "socket");
    const int socket = socket_.get();
    set(socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
    if (v4) {
        ip_mreqn out{};
        out.imr_ifindex = static_cast<int>(index);
        require(::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) == 0, "IP_MULTICAST_IF");
        // Not connected, and never in pieces: then the kernel gives each packet the identification 0.
        set(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, "IP_MTU_DISCOVER");
    } else {
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index), "IPV6_MULTICAST_IF");
    }
    const verbs::socket_address from = verbs::to_socket_address(route_.source, route_.source_port, 0);
    require(::bind(socket, from.get(), from.length) == 0, "bind");
}

void roce_socket::send_raw(const bytes& datagram) {
    const verbs::socket_address to = verbs::to_socket_address(route_.destination, roce_port, 0);
    require(::sendto(socket_.get(), datagram.data(), datagram.size(), 0, to.get(), to.length) ==
                static_cast<ssize_t>(datagram.size()),
            "sendto");
}

void ip_of_peer(const std::string& arguments) {
    const visit there;
    ip(arguments);
}

}  // namespace verbcast::test
