// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/group_attachments.hpp"

#include <algorithm>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

/// An IPv4 group as IPv6 writes it, which is how RoCE v2 names it.
ibv_gid gid_of(const ip_address& group) noexcept {
    ibv_gid gid{};
    if (group.family == ip_family::v6) {
        std::transform(group.bytes.begin(), group.bytes.end(), gid.raw, std::to_integer<std::uint8_t>);
        return gid;
    }
    gid.raw[10] = gid.raw[11] = 0xff;
    std::transform(group.bytes.begin(), group.bytes.begin() + 4, &gid.raw[12], std::to_integer<std::uint8_t>);
    return gid;
}

}  // namespace

void group_attachments::attach(const ip_address& group) {
    if (std::find(groups_.begin(), groups_.end(), group) != groups_.end()) return;
    groups_.reserve(groups_.size() + 1);
    const ibv_gid gid = gid_of(group);
    if (const int error = ibv_attach_mcast(pair_, &gid, 0))
        throw_verbs_error(error, "ibv_attach_mcast(" + group.to_string() + ")", owner_.name());
    groups_.push_back(group);
}

void group_attachments::detach() noexcept {
    for (const ip_address& each : groups_) {
        const ibv_gid gid = gid_of(each);
        expect_destroyed(ibv_detach_mcast(pair_, &gid, 0));
    }
    groups_.clear();
}

}  // namespace verbcast::verbs
