// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/querier.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/igmp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace verbcast::tools {
namespace {

using clock = std::chrono::steady_clock;

/// IGMP that comes on one interface.
class igmp_socket {
public:
    explicit igmp_socket(const std::string& interface)
        : socket_(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IGMP)) {
        if (socket_ < 0 || ::setsockopt(socket_, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                                        static_cast<socklen_t>(interface.size() + 1)) != 0)
            error_ = errno;
        // Queries go to all hosts, a group that no host need join; the socket must.
        ip_mreqn all{};
        all.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP);
        all.imr_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
        if (error_ == 0 && ::setsockopt(socket_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof all) != 0) error_ = errno;
    }
    ~igmp_socket() {
        if (socket_ >= 0) ::close(socket_);
    }
    igmp_socket(const igmp_socket&) = delete;
    igmp_socket& operator=(const igmp_socket&) = delete;

    int error() const noexcept { return error_; }
    int get() const noexcept { return socket_; }

    /// Who sent a query; empty when what has come is none.
    std::string take_query() const {
        std::array<unsigned char, 2048> bytes{};
        const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), 0);
        if (size < static_cast<ssize_t>(sizeof(iphdr))) return {};
        iphdr header{};
        std::memcpy(&header, bytes.data(), sizeof header);
        const std::size_t at = std::size_t{header.ihl} * 4;
        if (static_cast<std::size_t>(size) < at + sizeof(igmphdr) || bytes[at] != IGMP_HOST_MEMBERSHIP_QUERY) return {};
        std::array<char, INET_ADDRSTRLEN> text{};
        ::inet_ntop(AF_INET, &header.saddr, text.data(), text.size());
        return text.data();
    }

private:
    int socket_;
    int error_ = 0;
};

reading refused(int error) {
    return {reading::outcome::refused, fmt::format("listening to IGMP failed: {}", std::strerror(error))};
}

}  // namespace

std::map<std::string, reading> listen_for_queriers(const std::vector<std::string>& interfaces,
                                                   std::chrono::nanoseconds patience) {
    const auto deadline = clock::now() + std::chrono::duration_cast<clock::duration>(patience);
    std::map<std::string, reading> heard;
    std::map<std::string, igmp_socket> waiting;
    for (const std::string& each : interfaces) {
        const int error = waiting.try_emplace(each, each).first->second.error();
        heard[each] = error == 0 ? reading{reading::outcome::absent, {}} : refused(error);
        if (error != 0) waiting.erase(each);
    }
    for (auto now = clock::now(); now < deadline && !waiting.empty(); now = clock::now()) {
        std::vector<pollfd> ready;
        ready.reserve(waiting.size());
        for (const auto& [interface, socket] : waiting)
            ready.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
        if (::poll(ready.data(), ready.size(), static_cast<int>(left.count())) <= 0) continue;
        std::erase_if(waiting, [&](const auto& each) {
            std::string querier = each.second.take_query();
            if (querier.empty()) return false;
            heard[each.first] = {reading::outcome::read, std::move(querier)};
            return true;
        });
    }
    return heard;
}

}  // namespace verbcast::tools
