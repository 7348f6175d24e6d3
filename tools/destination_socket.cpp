// SPDX-License-Identifier: BSD-3-Clause
#include "destination_socket.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "command.hpp"
#include "packet_sender.hpp"

namespace verbcast::tools {
namespace {

constexpr int send_buffer_bytes = 4 << 20;

struct socket_address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    int family() const noexcept { return storage.ss_family; }
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
    sockaddr_in6& ipv6() noexcept { return reinterpret_cast<sockaddr_in6&>(storage); }
    bool multicast() const noexcept {
        if (family() == AF_INET6)
            return IN6_IS_ADDR_MULTICAST(&reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr);
        return IN_MULTICAST(ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr));
    }
};

socket_address numeric_address(const std::string& address, std::uint16_t port, std::string_view what) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
        throw usage_error(fmt::format("{} {}: not a numeric IPv4 or IPv6 address", what, address));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    socket_address result;
    std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
    result.length = found->ai_addrlen;
    return result;
}

/// Closes unless released.
class open_socket {
public:
    open_socket(int family, std::string name)
        : fd_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)), name_(std::move(name)) {
        if (fd_ < 0) fail("socket", "");
    }
    ~open_socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    open_socket(const open_socket&) = delete;
    open_socket& operator=(const open_socket&) = delete;

    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

    template <class Value>
    void set(int level, int option, const Value& value, const char* call, const std::string& advice = "") const {
        if (::setsockopt(fd_, level, option, &value, sizeof value) != 0) fail(call, advice);
    }
    [[noreturn]] void fail(const char* call, const std::string& advice) const {
        throw std::system_error(errno, std::system_category(), fmt::format("{} for {}{}", call, name_, advice));
    }

private:
    int fd_;
    std::string name_;
};

void route_multicast(const open_socket& socket, const socket_address& to, const packet_sender_config& config) {
    const std::string advice = fmt::format(" on {}", config.interface);
    const unsigned index = config.interface.empty() ? 0 : ::if_nametoindex(config.interface.c_str());
    if (!config.interface.empty() && index == 0) socket.fail("if_nametoindex", advice);
    if (to.family() == AF_INET6) {
        socket.set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, config.hops, "setsockopt(IPV6_MULTICAST_HOPS)");
        if (index != 0)
            socket.set(IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index), "setsockopt(IPV6_MULTICAST_IF)",
                       advice);
        return;
    }
    socket.set(IPPROTO_IP, IP_MULTICAST_TTL, config.hops, "setsockopt(IP_MULTICAST_TTL)");
    if (index != 0) {
        ip_mreqn where{};
        where.imr_ifindex = static_cast<int>(index);
        socket.set(IPPROTO_IP, IP_MULTICAST_IF, where, "setsockopt(IP_MULTICAST_IF)", advice);
    }
}

void bind_source(const open_socket& socket, const std::string& source, const socket_address& to) {
    const socket_address from = numeric_address(source, 0, "--source");
    if (from.family() != to.family())
        throw usage_error(fmt::format("--source {}: the groups are of the other IP version", source));
    if (::bind(socket.get(), from.get(), from.length) != 0)
        socket.fail("bind", fmt::format(" to {}: this must be an address of this host", source));
}

}  // namespace

int open_destination(const group& to, const packet_sender_config& config) {
    socket_address address = numeric_address(to.address, to.port, "group");
    open_socket socket(address.family(), to.name());
    // Less, if the kernel will not: a send then waits more often.
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
    if (address.multicast())
        route_multicast(socket, address, config);
    else if (const std::string& name = config.interface; !name.empty())
        if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, name.data(), static_cast<socklen_t>(name.size())) !=
            0)
            socket.fail("setsockopt(SO_BINDTODEVICE)", " on " + name);
    if (address.family() == AF_INET6 && address.ipv6().sin6_scope_id == 0 && !config.interface.empty() &&
        (IN6_IS_ADDR_LINKLOCAL(&address.ipv6().sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&address.ipv6().sin6_addr)))
        address.ipv6().sin6_scope_id = ::if_nametoindex(config.interface.c_str());
    const std::string source = !config.source.empty() ? config.source : to.source.value_or("");
    if (!source.empty()) bind_source(socket, source, address);
    if (::connect(socket.get(), address.get(), address.length) != 0)
        socket.fail("connect", ": no route; name an interface with --interface");
    return socket.release();
}

}  // namespace verbcast::tools
