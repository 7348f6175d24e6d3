// SPDX-License-Identifier: BSD-3-Clause
#include "other_host.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network_namespace.hpp"

namespace verbcast::test {
namespace {

void set_up(const std::string& name, int host) {
    ip("link set " + name + " up");
    set_sysctl("net/ipv6/conf/" + name + "/accept_dad", "0");
    ip(fmt::format("address add 10.99.0.{}/24 dev {}", host, name));
    ip(fmt::format("address add fd99::{}/64 dev {} nodad", host, name));
    ip("route add 224.0.0.0/4 dev " + name);
}

}  // namespace

other_host::other_host() {
    enter_network_namespace();
    ip("link add veth0 type veth peer name veth1");
    thread_ = std::thread([this] { serve(); });
    pid_t there = 0;
    run([&there] {
        enter_network_namespace();
        there = ::gettid();
    });
    ip(fmt::format("link set veth1 netns {}", there));
    set_up("veth0", 1);
    run([] { set_up("veth1", 2); });
}

other_host::~other_host() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void other_host::run(const std::function<void()>& what) {
    std::unique_lock lock(mutex_);
    wanted_ = &what;
    changed_.notify_all();
    changed_.wait(lock, [this] { return wanted_ == nullptr; });
    if (const std::exception_ptr thrown = std::exchange(thrown_, nullptr)) std::rethrow_exception(thrown);
}

void other_host::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return wanted_ != nullptr || over_; });
        if (over_) return;
        try {
            (*wanted_)();
        } catch (...) {
            thrown_ = std::current_exception();
        }
        wanted_ = nullptr;
        changed_.notify_all();
    }
}

void send_frame(const std::string& interface, const std::vector<std::byte>& frame) {
    const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    const ssize_t sent =
        ::sendto(socket, frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    const int error = errno;
    ::close(socket);
    if (sent != static_cast<ssize_t>(frame.size())) throw std::system_error(error, std::generic_category(), "sendto");
}

}  // namespace verbcast::test
