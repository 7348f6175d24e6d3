// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/verbs_error.hpp"

#include <cerrno>

#include "verbs/os_error.hpp"

namespace verbcast::verbs {
namespace {

bool is(std::string_view call, std::string_view verb) noexcept { return call.substr(0, verb.size()) == verb; }

}  // namespace

std::string advice_for(int error_number, std::string_view call) {
    if (error_number == EIO || error_number == ENODEV) return "the device is gone or has failed: see dmesg";
    if (error_number == EMFILE) return "too many open files: raise the limit with ulimit -n";
    const bool makes_queue = is(call, "ibv_create_qp");
    const bool makes_rule = is(call, "ibv_create_flow");
    if ((makes_queue || makes_rule) && (error_number == EPERM || error_number == EACCES))
        return "needs CAP_NET_RAW: run as root, or give it to the program with setcap cap_net_raw+ep PROGRAM, or to "
               "the "
               "service with AmbientCapabilities=CAP_NET_RAW";
    if (is(call, "ibv_create_qp(RAW_PACKET)") && (error_number == EOPNOTSUPP || error_number == ENOSYS))
        return "the device has no raw queue pairs, only those of RoCE, as soft-RoCE does: receive datagrams of RoCE v2 "
               "with transport ud, and others through sockets (udp)";
    if (makes_queue && (error_number == EOPNOTSUPP || error_number == ENOSYS))
        return "the device has no queue pairs of this type";
    if (makes_queue && error_number == EINVAL) return "the device may take fewer requests: ask for a smaller buffer";
    if (makes_rule && (error_number == EOPNOTSUPP || error_number == ENOSYS))
        return "the device does not steer flows: look for flow steering in its firmware's settings";
    if (makes_rule && error_number == EEXIST) return "another rule of this process matches the same, and differs";
    if (makes_rule && (error_number == ENOMEM || error_number == ENOSPC))
        return "the device's table of flow rules is full";
    if (error_number == ENOMEM) return "the device or the kernel has no memory for it";
    return {};
}

void throw_verbs_error(int error_number, std::string_view call, std::string_view device) {
    throw os_error(error_number, std::string(call) + " on " + std::string(device), advice_for(error_number, call));
}

}  // namespace verbcast::verbs
