// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "softnic/nic.hpp"
#include "softroce/roce_packet.hpp"

namespace verbcast::test {

struct destroy_address_handle {
    void operator()(ibv_ah* each) const noexcept { ibv_destroy_ah(each); }
};

/// A program that sends to a multicast group with the verbs, as others write it: a datagram queue pair of its own on a
/// device of its own opening. Uses nothing of the library. One thread.
class verbs_sender {
public:
    explicit verbs_sender(const std::string& group, std::uint32_t queue_key = default_queue_key,
                          const std::string& device = "rxe1");

    /// Returns when the device is done with it. Throws when that says it failed.
    void send(const bytes& payload);

private:
    std::uint32_t queue_key_;
    nic_test::device nic_;
    nic_test::memory buffer_;
    nic_test::handle<ibv_cq> completions_;
    nic_test::handle<ibv_qp> pair_;
    std::unique_ptr<ibv_ah, destroy_address_handle> group_;
};

}  // namespace verbcast::test
