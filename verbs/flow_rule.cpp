// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/flow_rule.hpp"

#include <cerrno>
#include <cstring>
#include <type_traits>

#include <netinet/in.h>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

constexpr std::uint16_t vlan_id_mask = 0x0fff;

/// The attributes and the specifications behind them, in one piece of memory: ibv_create_flow(3).
class flow_attributes {
public:
    flow_attributes(std::uint8_t port, std::uint16_t priority) {
        head_.type = IBV_FLOW_ATTR_NORMAL;
        head_.port = port;
        head_.priority = priority;
        head_.size = sizeof head_;
        store();
    }

    template <class Spec>
    void add(Spec spec, ibv_flow_spec_type type) {
        static_assert(std::is_trivially_copyable_v<Spec>);
        spec.type = type;
        spec.size = sizeof spec;
        std::memcpy(bytes_ + head_.size, &spec, sizeof spec);
        head_.size = static_cast<std::uint16_t>(head_.size + sizeof spec);
        ++head_.num_of_specs;
        store();
    }

    ibv_flow_attr* get() noexcept { return reinterpret_cast<ibv_flow_attr*>(bytes_); }

private:
    void store() noexcept { std::memcpy(bytes_, &head_, sizeof head_); }

    ibv_flow_attr head_{};
    alignas(
        ibv_flow_attr) std::byte bytes_[sizeof(ibv_flow_attr) + sizeof(ibv_flow_spec_eth) + sizeof(ibv_flow_spec_ipv6) +
                                        sizeof(ibv_flow_spec_tcp_udp) + sizeof(ibv_flow_spec_counter_action)];
};

void add_ethernet(flow_attributes& to, const flow_match& match) {
    ibv_flow_spec_eth spec{};
    std::memcpy(spec.val.dst_mac, match.destination_mac.data(), match.destination_mac.size());
    std::memset(spec.mask.dst_mac, 0xff, sizeof spec.mask.dst_mac);
    if (match.vlan) {
        spec.val.vlan_tag = htons(*match.vlan);
        spec.mask.vlan_tag = htons(vlan_id_mask);
    }
    to.add(spec, IBV_FLOW_SPEC_ETH);
}

void add_ipv4(flow_attributes& to, const flow_match& match) {
    ibv_flow_spec_ipv4 spec{};
    std::memcpy(&spec.val.dst_ip, match.destination.bytes.data(), sizeof spec.val.dst_ip);
    spec.mask.dst_ip = ~std::uint32_t{0};
    if (match.source) {
        std::memcpy(&spec.val.src_ip, match.source->bytes.data(), sizeof spec.val.src_ip);
        spec.mask.src_ip = ~std::uint32_t{0};
    }
    to.add(spec, IBV_FLOW_SPEC_IPV4);
}

void add_ipv6(flow_attributes& to, const flow_match& match) {
    ibv_flow_spec_ipv6 spec{};
    std::memcpy(spec.val.dst_ip, match.destination.bytes.data(), sizeof spec.val.dst_ip);
    std::memset(spec.mask.dst_ip, 0xff, sizeof spec.mask.dst_ip);
    if (match.source) {
        std::memcpy(spec.val.src_ip, match.source->bytes.data(), sizeof spec.val.src_ip);
        std::memset(spec.mask.src_ip, 0xff, sizeof spec.mask.src_ip);
    }
    to.add(spec, IBV_FLOW_SPEC_IPV6);
}

void add_udp(flow_attributes& to, const flow_match& match) {
    ibv_flow_spec_tcp_udp spec{};
    spec.val.dst_port = htons(match.port);
    spec.mask.dst_port = 0xffff;
    to.add(spec, IBV_FLOW_SPEC_UDP);
}

/// Null where the device does not count by rule.
flow_counters make_counters(ibv_context* context) noexcept {
    ibv_counters_init_attr plain{};
    flow_counters made(ibv_create_counters(context, &plain));
    if (!made) return {};
    ibv_counter_attach_attr frames{};
    frames.counter_desc = IBV_COUNTER_PACKETS;
    frames.index = 0;
    // Without a rule: the rule names the counters when it is made.
    if (ibv_attach_counters_point_flow(made.get(), &frames, nullptr) != 0) return {};
    return made;
}

std::string call_for(const flow_match& match) {
    return "ibv_create_flow(" + (match.source ? match.source->to_string() + "@" : std::string()) +
           to_string(match.destination, match.port) + ")";
}

}  // namespace

mac_address multicast_mac(const ip_address& group) noexcept {
    if (group.family == ip_family::v6)
        return {std::byte{0x33}, std::byte{0x33}, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]};
    return {std::byte{0x01}, std::byte{0x00}, std::byte{0x5e}, group.bytes[1] & std::byte{0x7f},
            group.bytes[2],  group.bytes[3]};
}

flow_rule::flow_rule(const device& owner, ibv_qp* pair, const flow_match& match, std::uint16_t priority)
    : counters_(make_counters(owner.get())) {
    flow_attributes wanted(owner.port(), priority);
    add_ethernet(wanted, match);
    if (match.destination.family == ip_family::v4)
        add_ipv4(wanted, match);
    else
        add_ipv6(wanted, match);
    add_udp(wanted, match);
    if (counters_) {
        flow_attributes counted = wanted;
        ibv_flow_spec_counter_action spec{};
        spec.counters = counters_.get();
        counted.add(spec, IBV_FLOW_SPEC_ACTION_COUNT);
        rule_.reset(ibv_create_flow(pair, counted.get()));
        if (rule_) return;
        counters_.reset();  // counters it has, but not for this rule
    }
    rule_.reset(ibv_create_flow(pair, wanted.get()));
    if (!rule_) throw_verbs_error(errno, call_for(match), owner.name());
}

std::optional<std::uint64_t> flow_rule::frames_matched() const noexcept {
    if (!counters_) return {};
    std::uint64_t frames = 0;
    if (ibv_read_counters(counters_.get(), &frames, 1, 0) != 0) return {};
    return frames;
}

}  // namespace verbcast::verbs
