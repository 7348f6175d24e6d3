// SPDX-License-Identifier: BSD-3-Clause
// Enumerations as text, and rates as numbers.
#include <infiniband/verbs.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "abi.hpp"

namespace {

template <std::size_t Size>
const char* text_of(const std::array<const char*, Size>& texts, int value, const char* otherwise) noexcept {
    return value >= 0 && static_cast<std::size_t>(value) < Size ? texts[static_cast<std::size_t>(value)] : otherwise;
}

struct rate {
    ibv_rate code;
    int multiple;  ///< of 2.5 Gb/s; 0 where the rate is none
    int mbps;
};

constexpr std::array rates{
    rate{IBV_RATE_2_5_GBPS, 1, 2500},     rate{IBV_RATE_5_GBPS, 2, 5000},         rate{IBV_RATE_10_GBPS, 4, 10000},
    rate{IBV_RATE_20_GBPS, 8, 20000},     rate{IBV_RATE_30_GBPS, 12, 30000},      rate{IBV_RATE_40_GBPS, 16, 40000},
    rate{IBV_RATE_60_GBPS, 24, 60000},    rate{IBV_RATE_80_GBPS, 32, 80000},      rate{IBV_RATE_120_GBPS, 48, 120000},
    rate{IBV_RATE_14_GBPS, 0, 14062},     rate{IBV_RATE_56_GBPS, 0, 56250},       rate{IBV_RATE_112_GBPS, 0, 112500},
    rate{IBV_RATE_168_GBPS, 0, 168750},   rate{IBV_RATE_25_GBPS, 0, 25781},       rate{IBV_RATE_100_GBPS, 0, 103125},
    rate{IBV_RATE_200_GBPS, 0, 206250},   rate{IBV_RATE_300_GBPS, 0, 309375},     rate{IBV_RATE_28_GBPS, 11, 28125},
    rate{IBV_RATE_50_GBPS, 20, 53125},    rate{IBV_RATE_400_GBPS, 160, 425000},   rate{IBV_RATE_600_GBPS, 240, 637500},
    rate{IBV_RATE_800_GBPS, 320, 850000}, rate{IBV_RATE_1200_GBPS, 480, 1275000},
};

template <class Predicate>
const rate* find_rate(Predicate&& wanted) noexcept {
    const auto found = std::find_if(rates.begin(), rates.end(), wanted);
    return found == rates.end() ? nullptr : &*found;
}

}  // namespace

SOFTNIC_EXPORT const char* ibv_wc_status_str(ibv_wc_status status) {
    static constexpr std::array texts{"success",
                                      "local length error",
                                      "local QP operation error",
                                      "local EE context operation error",
                                      "local protection error",
                                      "Work Request Flushed Error",
                                      "memory management operation error",
                                      "bad response error",
                                      "local access error",
                                      "remote invalid request error",
                                      "remote access error",
                                      "remote operation error",
                                      "transport retry counter exceeded",
                                      "RNR retry counter exceeded",
                                      "local RDD violation error",
                                      "remote invalid RD request",
                                      "aborted error",
                                      "invalid EE context number",
                                      "invalid EE context state",
                                      "fatal error",
                                      "response timeout error",
                                      "general error",
                                      "TM error",
                                      "TM software rendezvous"};
    return text_of(texts, status, "unknown");
}

SOFTNIC_EXPORT const char* ibv_node_type_str(ibv_node_type type) {
    static constexpr std::array texts{"unknown",           "InfiniBand channel adapter",
                                      "InfiniBand switch", "InfiniBand router",
                                      "iWARP NIC",         "usNIC",
                                      "usNIC UDP",         "unspecified"};
    return text_of(texts, type, "unknown");
}

SOFTNIC_EXPORT const char* ibv_port_state_str(ibv_port_state state) {
    static constexpr std::array texts{"no state change (NOP)", "down", "init", "armed", "active", "active defer"};
    return text_of(texts, state, "unknown");
}

SOFTNIC_EXPORT const char* ibv_event_type_str(ibv_event_type event) {
    static constexpr std::array texts{"CQ error",
                                      "local work queue catastrophic error",
                                      "invalid request local work queue error",
                                      "local access violation work queue error",
                                      "communication established",
                                      "send queue drained",
                                      "path migrated",
                                      "path migration request error",
                                      "local catastrophic error",
                                      "port active",
                                      "port error",
                                      "LID change",
                                      "P_Key change",
                                      "SM change",
                                      "SRQ catastrophic error",
                                      "SRQ limit reached",
                                      "last WQE reached",
                                      "client reregistration",
                                      "GID table change",
                                      "WQ fatal"};
    return text_of(texts, event, "unknown");
}

SOFTNIC_EXPORT int ibv_rate_to_mult(ibv_rate code) {
    const rate* found = find_rate([&](const rate& each) { return each.code == code; });
    return found != nullptr && found->multiple != 0 ? found->multiple : -1;
}

SOFTNIC_EXPORT ibv_rate mult_to_ibv_rate(int multiple) {
    const rate* found = find_rate([&](const rate& each) { return each.multiple != 0 && each.multiple == multiple; });
    return found != nullptr ? found->code : IBV_RATE_MAX;
}

SOFTNIC_EXPORT int ibv_rate_to_mbps(ibv_rate code) {
    const rate* found = find_rate([&](const rate& each) { return each.code == code; });
    return found != nullptr ? found->mbps : -1;
}

SOFTNIC_EXPORT ibv_rate mbps_to_ibv_rate(int mbps) {
    const rate* found = find_rate([&](const rate& each) { return each.mbps == mbps; });
    return found != nullptr ? found->code : IBV_RATE_MAX;
}
