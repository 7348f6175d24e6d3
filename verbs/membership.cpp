// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/membership.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

#include "verbs/os_error.hpp"

namespace verbcast::verbs {
namespace {

int level_of(ip_family family) noexcept { return family == ip_family::v4 ? IPPROTO_IP : IPPROTO_IPV6; }

sockaddr_storage storage_of(const ip_address& address) noexcept { return to_socket_address(address, 0, 0).storage; }

[[noreturn]] void throw_join_error(int error, const joined_group& wanted, const joining_interface& on) {
    const std::string of = wanted.source ? wanted.source->to_string() + "@" : "";
    const std::string where = on.index == 0 ? "" : " on " + on.name;
    std::string advice;
    if (error == ENODEV && on.index == 0) {
        advice = "no route leads to the group: name an interface, of which there are " + interface_names();
    } else if (error == ENODEV) {
        advice = "the interface needs an address of this IP version; interfaces here are " + interface_names();
    } else if (error == ENOBUFS) {
        advice = "a limit of the kernel: raise net.ipv4.igmp_max_memberships, net.ipv4.igmp_max_msf or "
                 "net.core.optmem_max with sysctl -w";
    } else if (error == EADDRINUSE || error == EADDRNOTAVAIL) {
        advice = "the socket has joined this group already";
    }
    throw os_error(error,
                   std::string("setsockopt(") + (wanted.source ? "MCAST_JOIN_SOURCE_GROUP" : "MCAST_JOIN_GROUP") +
                       ") for " + of + wanted.group.to_string() + where,
                   advice);
}

}  // namespace

file_descriptor open_datagram_socket(ip_family family) {
    const bool v4 = family == ip_family::v4;
    file_descriptor result(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!result) {
        const int error = errno;
        throw os_error(error, v4 ? "socket(AF_INET, SOCK_DGRAM)" : "socket(AF_INET6, SOCK_DGRAM)",
                       error == EMFILE         ? "one descriptor is needed a group: raise the limit with ulimit -n"
                       : error == EAFNOSUPPORT ? "this kernel runs without this IP version"
                                               : "");
    }
    // Otherwise it receives what any other program on this machine has joined.
    const int off = 0;
    constexpr int ipv6_multicast_all = 29;  // linux/in6.h, which netinet/in.h keeps out
    if (::setsockopt(result.get(), level_of(family), v4 ? IP_MULTICAST_ALL : ipv6_multicast_all, &off, sizeof off) !=
        0) {
        throw os_error(errno, v4 ? "setsockopt(IP_MULTICAST_ALL)" : "setsockopt(IPV6_MULTICAST_ALL)",
                       "needs Linux 4.20 or later");
    }
    return result;
}

int try_join(int socket, const joined_group& wanted, unsigned interface_index) noexcept {
    const int level = level_of(wanted.group.family);
    if (wanted.source) {
        group_source_req request{};
        request.gsr_interface = interface_index;
        request.gsr_group = storage_of(wanted.group);
        request.gsr_source = storage_of(*wanted.source);
        return ::setsockopt(socket, level, MCAST_JOIN_SOURCE_GROUP, &request, sizeof request) == 0 ? 0 : errno;
    }
    group_req request{};
    request.gr_interface = interface_index;
    request.gr_group = storage_of(wanted.group);
    return ::setsockopt(socket, level, MCAST_JOIN_GROUP, &request, sizeof request) == 0 ? 0 : errno;
}

void join(int socket, const joined_group& wanted, const joining_interface& on) {
    if (const int error = try_join(socket, wanted, on.index)) throw_join_error(error, wanted, on);
}

bool membership::join_socket::has(const ip_address& group) const noexcept {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool membership::join_socket::may_take(const joined_group& wanted) const noexcept {
    return family == wanted.group.family && source_specific == wanted.source.has_value() &&
           (has(wanted.group) || groups.size() < groups_per_socket_max);
}

/// False when the kernel has no more room on this socket.
bool membership::join_on(join_socket& socket, const joined_group& wanted) {
    socket.groups.reserve(groups_per_socket_max);
    const int error = try_join(socket.descriptor.get(), wanted, interface_.index);
    if (error == ENOBUFS) return false;
    if (error != 0) throw_join_error(error, wanted, interface_);
    if (!socket.has(wanted.group)) socket.groups.push_back(wanted.group);
    return true;
}

void membership::join(const joined_group& wanted) {
    const auto [place, is_new] = joined_.insert(wanted);
    if (!is_new) return;
    try {
        // Sources of a group share a socket as long as it takes them.
        const auto shares = [&](const join_socket& each) { return each.has(wanted.group); };
        for (const bool sharing : {true, false}) {
            for (join_socket& each : sockets_) {
                if (each.may_take(wanted) && shares(each) == sharing && join_on(each, wanted)) return;
            }
        }
        join_socket fresh{
            open_datagram_socket(wanted.group.family), wanted.group.family, wanted.source.has_value(), {}};
        if (!join_on(fresh, wanted)) throw_join_error(ENOBUFS, wanted, interface_);
        sockets_.push_back(std::move(fresh));
    } catch (...) {
        joined_.erase(place);
        throw;
    }
}

}  // namespace verbcast::verbs
