// SPDX-License-Identifier: BSD-3-Clause
#include "flow_rule.hpp"

#include "limits.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace softnic {
namespace {

constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_ipv6 = 0x86dd;

/// A rule being read: value and mask as fields, and what the specifications say about the kinds of the layers.
struct reading {
    frame_keys value{};
    frame_keys mask{};
    bool ethernet = false;
    bool network = false;
    bool transport = false;
};

/// Copies one field's value and mask; the mask is written last, so that equal rules have equal bits.
template <class Field, class Filter>
void take(Field& value, Field& mask, const Filter& wanted, const Filter& wanted_mask) {
    static_assert(sizeof(Field) >= sizeof(Filter));
    std::memcpy(&value, &wanted, sizeof wanted);
    std::memcpy(&mask, &wanted_mask, sizeof wanted_mask);
}

int require(std::uint8_t& value, std::uint8_t& mask, std::uint8_t wanted) {
    if ((mask != 0 && ((value ^ wanted) & mask) != 0)) return EINVAL;
    value = wanted;
    mask = 0xff;
    return 0;
}

int read(const ibv_flow_spec_eth& spec, reading& rule) {
    if (std::exchange(rule.ethernet, true)) return EINVAL;
    take(rule.value.destination_mac, rule.mask.destination_mac, spec.val.dst_mac, spec.mask.dst_mac);
    take(rule.value.source_mac, rule.mask.source_mac, spec.val.src_mac, spec.mask.src_mac);
    take(rule.value.ether_type, rule.mask.ether_type, spec.val.ether_type, spec.mask.ether_type);
    take(rule.value.vlan_tag, rule.mask.vlan_tag, spec.val.vlan_tag, spec.mask.vlan_tag);
    return spec.mask.vlan_tag != 0 ? require(rule.value.tagged, rule.mask.tagged, 1) : 0;
}

int read(const ibv_flow_spec_ipv4& spec, reading& rule) {
    if (std::exchange(rule.network, true)) return EINVAL;
    take(rule.value.source_ip, rule.mask.source_ip, spec.val.src_ip, spec.mask.src_ip);
    take(rule.value.destination_ip, rule.mask.destination_ip, spec.val.dst_ip, spec.mask.dst_ip);
    return require(rule.value.ip_version, rule.mask.ip_version, 4);
}

int read(const ibv_flow_spec_ipv4_ext& spec, reading& rule) {
    if (std::exchange(rule.network, true)) return EINVAL;
    take(rule.value.source_ip, rule.mask.source_ip, spec.val.src_ip, spec.mask.src_ip);
    take(rule.value.destination_ip, rule.mask.destination_ip, spec.val.dst_ip, spec.mask.dst_ip);
    take(rule.value.traffic_class, rule.mask.traffic_class, spec.val.tos, spec.mask.tos);
    take(rule.value.hop_limit, rule.mask.hop_limit, spec.val.ttl, spec.mask.ttl);
    take(rule.value.fragment_flags, rule.mask.fragment_flags, spec.val.flags, spec.mask.flags);
    if (spec.mask.proto != 0) {
        if (rule.transport && ((spec.val.proto ^ rule.value.protocol) & spec.mask.proto) != 0) return EINVAL;
        if (!rule.transport) take(rule.value.protocol, rule.mask.protocol, spec.val.proto, spec.mask.proto);
    }
    return require(rule.value.ip_version, rule.mask.ip_version, 4);
}

int read(const ibv_flow_spec_ipv6& spec, reading& rule) {
    if (std::exchange(rule.network, true)) return EINVAL;
    take(rule.value.source_ip, rule.mask.source_ip, spec.val.src_ip, spec.mask.src_ip);
    take(rule.value.destination_ip, rule.mask.destination_ip, spec.val.dst_ip, spec.mask.dst_ip);
    take(rule.value.flow_label, rule.mask.flow_label, spec.val.flow_label, spec.mask.flow_label);
    take(rule.value.traffic_class, rule.mask.traffic_class, spec.val.traffic_class, spec.mask.traffic_class);
    take(rule.value.hop_limit, rule.mask.hop_limit, spec.val.hop_limit, spec.mask.hop_limit);
    if (spec.mask.next_hdr != 0) {
        if (rule.transport && ((spec.val.next_hdr ^ rule.value.protocol) & spec.mask.next_hdr) != 0) return EINVAL;
        if (!rule.transport) take(rule.value.protocol, rule.mask.protocol, spec.val.next_hdr, spec.mask.next_hdr);
    }
    return require(rule.value.ip_version, rule.mask.ip_version, 6);
}

int read(const ibv_flow_spec_tcp_udp& spec, reading& rule) {
    if (std::exchange(rule.transport, true)) return EINVAL;
    const std::uint8_t protocol = spec.type == IBV_FLOW_SPEC_UDP ? IPPROTO_UDP : IPPROTO_TCP;
    take(rule.value.source_port, rule.mask.source_port, spec.val.src_port, spec.mask.src_port);
    take(rule.value.destination_port, rule.mask.destination_port, spec.val.dst_port, spec.mask.dst_port);
    const int clash = require(rule.value.protocol, rule.mask.protocol, protocol);
    if (clash != 0) return clash;
    // Not every frame of the protocol shows ports: a fragment has none to match, whatever the masks say.
    return spec.mask.src_port == 0 && spec.mask.dst_port == 0
               ? 0
               : require(rule.value.transport, rule.mask.transport, protocol);
}

/// A specification copied out of the user's list, which need not be aligned.
template <class Spec>
int read_copy(const std::byte* at, std::size_t size, reading& rule) {
    if (size != sizeof(Spec)) return EINVAL;
    Spec spec;
    std::memcpy(&spec, at, sizeof spec);
    return read(spec, rule);
}

template <class Spec>
int copy_action(const std::byte* at, std::size_t size, Spec& spec) {
    if (size != sizeof(Spec)) return EINVAL;
    std::memcpy(&spec, at, sizeof spec);
    return 0;
}

int read_action(std::uint32_t type, const std::byte* at, std::size_t size, flow_rule& rule) {
    if (type == IBV_FLOW_SPEC_ACTION_TAG) {
        ibv_flow_spec_action_tag spec;
        if (rule.tag || copy_action(at, size, spec) != 0 || spec.tag_id >= 1U << 24) return EINVAL;
        rule.tag = spec.tag_id;
        return 0;
    }
    if (type == IBV_FLOW_SPEC_ACTION_DROP) {
        ibv_flow_spec_action_drop spec;
        if (copy_action(at, size, spec) != 0) return EINVAL;
        rule.drops = true;
        return 0;
    }
    if (type == IBV_FLOW_SPEC_ACTION_COUNT) {
        ibv_flow_spec_counter_action spec;
        if (copy_action(at, size, spec) != 0 || spec.counters == nullptr) return EINVAL;
        rule.counters.push_back(static_cast<counter_set*>(spec.counters));
        return 0;
    }
    return EOPNOTSUPP;
}

int read_specification(std::uint32_t type, const std::byte* at, std::size_t size, reading& match, flow_rule& rule) {
    switch (type) {
    case IBV_FLOW_SPEC_ETH: return read_copy<ibv_flow_spec_eth>(at, size, match);
    case IBV_FLOW_SPEC_IPV4: return read_copy<ibv_flow_spec_ipv4>(at, size, match);
    case IBV_FLOW_SPEC_IPV4_EXT: return read_copy<ibv_flow_spec_ipv4_ext>(at, size, match);
    case IBV_FLOW_SPEC_IPV6: return read_copy<ibv_flow_spec_ipv6>(at, size, match);
    case IBV_FLOW_SPEC_TCP:
    case IBV_FLOW_SPEC_UDP: return read_copy<ibv_flow_spec_tcp_udp>(at, size, match);
    default: return read_action(type, at, size, rule);
    }
}

/// A rule for IPv4 with another Ethernet type can match nothing; hardware refuses it.
int check_ethernet_type(const reading& rule) {
    if (rule.mask.ether_type != 0xffff || rule.mask.ip_version == 0) return 0;
    const std::uint16_t expected = rule.value.ip_version == 4 ? type_ipv4 : type_ipv6;
    return ntohs(rule.value.ether_type) == expected ? 0 : EINVAL;
}

int check_attributes(const ibv_flow_attr& attributes) {
    constexpr std::uint32_t known_flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP | IBV_FLOW_ATTR_FLAGS_EGRESS;
    if (attributes.comp_mask != 0 || attributes.port != limits::port) return EINVAL;
    if ((attributes.flags & ~known_flags) != 0) return EINVAL;
    if ((attributes.flags & IBV_FLOW_ATTR_FLAGS_EGRESS) != 0) return EOPNOTSUPP;
    if (attributes.type > IBV_FLOW_ATTR_SNIFFER) return EINVAL;
    const bool lets_pass = (attributes.flags & IBV_FLOW_ATTR_FLAGS_DONT_TRAP) != 0;
    return lets_pass && attributes.type != IBV_FLOW_ATTR_NORMAL ? EINVAL : 0;
}

}  // namespace

int read_flow_rule(const ibv_flow_attr& attributes, flow_rule& rule) {
    if (const int error = check_attributes(attributes); error != 0) return error;
    rule.type = attributes.type;
    rule.priority = attributes.priority;
    rule.lets_pass = (attributes.flags & IBV_FLOW_ATTR_FLAGS_DONT_TRAP) != 0;

    reading match;
    // The number of specifications and their own sizes count. As in rdma-core nobody looks at `attributes.size`, and
    // programs leave it as it is.
    const auto* at = reinterpret_cast<const std::byte*>(&attributes + 1);
    for (int i = 0; i < attributes.num_of_specs; ++i) {
        ibv_flow_spec_action_drop head;  // type and size, as every specification begins
        constexpr std::size_t head_bytes = offsetof(ibv_flow_spec_action_drop, size) + sizeof head.size;
        std::memcpy(&head, at, head_bytes);
        const int error = read_specification(static_cast<std::uint32_t>(head.type), at, head.size, match, rule);
        if (error != 0) return error;
        at += head.size;
    }
    const bool matches_something = match.ethernet || match.network || match.transport;
    if (rule.type != IBV_FLOW_ATTR_NORMAL && matches_something) return EINVAL;
    if (const int error = check_ethernet_type(match); error != 0) return error;

    rule.match.mask = words_of(match.mask);
    rule.match.value = words_of(match.value);
    for (std::size_t i = 0; i < rule.match.mask.size(); ++i) rule.match.value[i] &= rule.match.mask[i];
    return 0;
}

}  // namespace softnic
