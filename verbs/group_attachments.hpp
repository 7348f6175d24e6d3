// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "verbs/device.hpp"
#include "verbs/handle.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast::verbs {

/// The multicast groups that a datagram queue pair is attached to, until this goes: the device gives it a copy of what
/// arrives for them. The network brings only what the kernel is a member of: see membership. One thread at a time.
class group_attachments {
public:
    /// Of a queue pair that outlives this.
    group_attachments(const device& owner, ibv_qp* pair) : owner_(owner), pair_(pair) {}
    ~group_attachments() { detach(); }
    group_attachments(const group_attachments&) = delete;
    group_attachments& operator=(const group_attachments&) = delete;

    /// Does nothing for a group that is attached already. Throws os_error.
    void attach(const ip_address& group);
    /// From all groups, at once.
    void detach() noexcept;

private:
    const device& owner_;
    ibv_qp* pair_;
    std::vector<ip_address> groups_;
};

}  // namespace verbcast::verbs
