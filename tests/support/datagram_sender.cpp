// SPDX-License-Identifier: BSD-3-Clause
#include "datagram_sender.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace verbcast::test {
namespace {

struct any_address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

any_address parse(const std::string& text, std::uint16_t port, unsigned scope) {
    any_address result;
    auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        result.length = sizeof v4;
    } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        v6.sin6_scope_id = scope;
        result.length = sizeof v6;
    } else {
        throw std::invalid_argument("not an address: " + text);
    }
    return result;
}

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace

datagram_sender::datagram_sender(const sender_config& config) {
    const unsigned index = config.interface.empty() ? 0 : ::if_nametoindex(config.interface.c_str());
    const any_address to = parse(config.address, config.port, index);
    const bool v4 = to.storage.ss_family == AF_INET;
    socket_ = ::socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(socket_ >= 0, "socket");
    if (index != 0 && v4) {
        ip_mreqn request{};
        request.imr_ifindex = static_cast<int>(index);
        require(::setsockopt(socket_, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0, "IP_MULTICAST_IF");
    } else if (index != 0) {
        require(::setsockopt(socket_, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0, "IPV6_MULTICAST_IF");
    }
    if (!config.source.empty()) {
        const any_address from = parse(config.source, 0, index);
        require(::bind(socket_, from.get(), from.length) == 0, "bind");
    }
    require(::connect(socket_, to.get(), to.length) == 0, "connect");
}

datagram_sender::~datagram_sender() {
    if (socket_ >= 0) ::close(socket_);
}

void datagram_sender::send(const bytes& payload) const {
    require(::send(socket_, payload.data(), payload.size(), 0) == static_cast<ssize_t>(payload.size()), "send");
}

void datagram_sender::send_joined(const bytes& payload, std::size_t segment_bytes) const {
    bytes copy = payload;
    iovec part{copy.data(), copy.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const segment = CMSG_FIRSTHDR(&message);
    segment->cmsg_level = IPPROTO_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto bytes_each = static_cast<std::uint16_t>(segment_bytes);
    std::memcpy(CMSG_DATA(segment), &bytes_each, sizeof bytes_each);
    require(::sendmsg(socket_, &message, 0) == static_cast<ssize_t>(copy.size()), "sendmsg");
}

}  // namespace verbcast::test
