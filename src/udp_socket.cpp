// SPDX-License-Identifier: BSD-3-Clause
#include "src/udp_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "verbs/ip_address.hpp"
#include "verbs/os_error.hpp"

namespace verbcast {
namespace {

constexpr int on_value = 1;

bool set(int socket, int level, int option, int value) noexcept {
    return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

void require(bool succeeded, std::string_view option, const std::string& name) {
    if (!succeeded) throw verbs::os_error(errno, fmt::format("setsockopt({}) for {}", option, name));
}

std::string_view bind_advice(int error, bool multicast) noexcept {
    switch (error) {
    case EADDRINUSE:
        return multicast
                   ? "another program receives this group and does not share it (SO_REUSEADDR): ss -ulnp shows which"
                   : "another program receives there: ss -ulnp shows which";
    case EADDRNOTAVAIL: return "not an address of this machine: ip address shows those";
    case EACCES: return "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE";
    case ENODEV:
    case EINVAL: return "a link-local address has to be one of the interface";
    default: return {};
    }
}

void bind(int socket, const verbs::ip_address& address, std::uint16_t port, const verbs::joining_interface& on) {
    const verbs::socket_address to = verbs::to_socket_address(address, port, on.index);
    if (::bind(socket, to.get(), to.length) == 0) return;
    const int error = errno;
    throw verbs::os_error(error, fmt::format("bind({})", verbs::to_string(address, port)),
                          bind_advice(error, address.is_multicast()));
}

/// A named interface is where datagrams must come from. IPv4 looks at it itself when a group arrives; IPv6 does not,
/// and a wildcard address says nothing. Not for an address of this host: a program on the same host reaches it through
/// `lo`.
void narrow_to_interface(int socket, const verbs::ip_address& address, const verbs::joining_interface& on) noexcept {
    const bool kernel_checks = address.family == verbs::ip_family::v4 && address.is_multicast();
    if (on.index == 0 || kernel_checks || !(address.is_multicast() || address.is_unspecified())) return;
    // Best effort: before Linux 5.7 it needs CAP_NET_RAW, and without it more may be received than was asked for.
    static_cast<void>(
        ::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, on.name.data(), static_cast<socklen_t>(on.name.size())));
}

}  // namespace

udp_socket::udp_socket(const group& to, const verbs::joining_interface& on, const udp_socket_options& options)
    : name_(to.name()) {
    const verbs::ip_address address = verbs::ip_address::from_string(to.address).value();
    descriptor_ = verbs::open_datagram_socket(address.family);
    if (address.family == verbs::ip_family::v6) require(set(get(), IPPROTO_IPV6, IPV6_V6ONLY, 1), "IPV6_V6ONLY", name_);
    // Each receiver of a group gets each datagram. Of a unicast address only the latest one would, in silence.
    if (address.is_multicast()) require(set(get(), SOL_SOCKET, SO_REUSEADDR, 1), "SO_REUSEADDR", name_);
    narrow_to_interface(get(), address, on);
    set_buffer_bytes(options.buffer_bytes);
    set_options(options);
    bind(get(), address, to.port, on);
    if (!address.is_multicast()) return;
    verbs::joined_group wanted{address, {}};
    if (to.source) wanted.source = verbs::ip_address::from_string(*to.source);
    verbs::join(get(), wanted, on);
}

void udp_socket::set_buffer_bytes(std::uint64_t wanted) {
    const int asked = static_cast<int>(std::min<std::uint64_t>(wanted, INT_MAX / 2));
    if (!set(get(), SOL_SOCKET, SO_RCVBUFFORCE, asked))  // with CAP_NET_ADMIN; else up to net.core.rmem_max
        require(set(get(), SOL_SOCKET, SO_RCVBUF, asked), "SO_RCVBUF", name_);
    int granted = 0;
    socklen_t length = sizeof granted;
    require(::getsockopt(get(), SOL_SOCKET, SO_RCVBUF, &granted, &length) == 0, "SO_RCVBUF", name_);
    buffer_bytes_ = static_cast<std::uint64_t>(granted) / 2;
}

void udp_socket::set_options(const udp_socket_options& options) {
    gro_ = options.gro && set(get(), IPPROTO_UDP, UDP_GRO, on_value);  // before Linux 5.0 there is none
    if (options.timestamps) require(set(get(), SOL_SOCKET, SO_TIMESTAMPNS, on_value), "SO_TIMESTAMPNS", name_);
}

std::uint64_t udp_socket::take_drops() noexcept {
    std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
    socklen_t length = sizeof figures;
    if (::getsockopt(get(), SOL_SOCKET, SO_MEMINFO, figures.data(), &length) != 0) return 0;
    // The kernel's counter has 32 bits and wraps; the difference does not mind.
    const std::uint32_t more = figures[SK_MEMINFO_DROPS] - drops_;
    drops_ = figures[SK_MEMINFO_DROPS];
    return more;
}

bool udp_socket::refuse_more() const noexcept {
    sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &nothing};
    return ::setsockopt(get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace verbcast
