// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/account.hpp>

#include "verbs/frame.hpp"

namespace verbcast {

/// The reason for which a frame that is not a whole datagram is ignored.
constexpr ignore_reason reason_of(verbs::frame_kind kind) noexcept {
    switch (kind) {
    case verbs::frame_kind::cut: return ignore_reason::frame_cut;
    case verbs::frame_kind::not_ip: return ignore_reason::not_ip;
    case verbs::frame_kind::not_udp: return ignore_reason::not_udp;
    case verbs::frame_kind::fragment: return ignore_reason::fragment;
    case verbs::frame_kind::bad_checksum: return ignore_reason::bad_checksum;
    case verbs::frame_kind::udp: return ignore_reason::not_ours;
    case verbs::frame_kind::bad: break;
    }
    return ignore_reason::bad_frame;
}

}  // namespace verbcast
