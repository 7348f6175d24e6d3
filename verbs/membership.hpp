// SPDX-License-Identifier: BSD-3-Clause
/// Membership in multicast groups is the kernel's: it speaks IGMP and MLD for whoever has a socket that joined.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "verbs/file_descriptor.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

/// An interface, or none: then the kernel chooses by its routes.
struct joining_interface {
    std::string name;
    unsigned index = 0;
};

/// What is joined: a group, or one source of it.
struct joined_group {
    ip_address group;
    std::optional<ip_address> source;

    friend bool operator<(const joined_group& left, const joined_group& right) noexcept {
        return std::tie(left.group, left.source) < std::tie(right.group, right.source);
    }
};

/// A new socket for datagrams, that receives only of groups it has joined itself. Throws os_error.
file_descriptor open_datagram_socket(ip_family family);

/// The socket joins. 0, or the error number.
int try_join(int socket, const joined_group& wanted, unsigned interface_index) noexcept;
/// The same; throws os_error, which says what to do.
void join(int socket, const joined_group& wanted, const joining_interface& on);

/// Memberships for a receiver that reads past the kernel: their sockets are never bound, and nothing arrives at them.
///
/// One thread at a time. Leaves all groups when it is destroyed: some 6 us for each.
class membership {
public:
    /// The kernel's limit for a socket, which only an administrator can raise (net.ipv4.igmp_max_memberships).
    static constexpr std::size_t groups_per_socket_max = 20;

    explicit membership(joining_interface on) : interface_(std::move(on)) {}

    /// Does nothing when it was joined already. Throws os_error; what was joined before stays so.
    void join(const joined_group& wanted);

    std::size_t sockets() const noexcept { return sockets_.size(); }
    /// At once, in place of the destructor.
    void leave() noexcept { sockets_.clear(); }

private:
    struct join_socket {
        file_descriptor descriptor;
        ip_family family;
        bool source_specific;  // the kernel takes a group on one socket either with sources or without
        std::vector<ip_address> groups;

        bool has(const ip_address& group) const noexcept;
        bool may_take(const joined_group& wanted) const noexcept;
    };

    bool join_on(join_socket& socket, const joined_group& wanted);

    joining_interface interface_;
    std::set<joined_group> joined_;
    std::vector<join_socket> sockets_;
};

}  // namespace verbcast::verbs
