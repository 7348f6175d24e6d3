// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/raw_sender.hpp>

#include <verbcast/error.hpp>

#include "src/reader_checks.hpp"
#include "verbs/frame_sender.hpp"
#include "verbs/ip_address.hpp"

namespace verbcast {
namespace {

constexpr std::size_t datagram_bytes_max = 65507;
constexpr std::uint16_t vlan_max = 4094;
/// Anything but a port with a meaning; receivers do not look at it.
constexpr std::uint16_t source_port = 7148;

verbs::ip_address source_of(const raw_sender_config& config, std::size_t index, const verbs::ip_address& destination,
                            const verbs::device& through) {
    const group& to = config.groups[index];
    const std::string text = to.source ? *to.source : config.source;
    if (text.empty()) return verbs::address_of(through.interface(), destination.family);
    const auto source = verbs::ip_address::from_string(text);
    if (!source || source->family != destination.family)
        throw config_error(to.source ? fmt::format("groups[{}]", index) : "source", text,
                           "must be an address of the IP version of " + to.name());
    return *source;
}

std::vector<verbs::frame_destination> destinations_of(const raw_sender_config& config, const verbs::device& through) {
    std::vector<verbs::frame_destination> destinations;
    for (std::size_t i = 0; i < config.groups.size(); ++i) {
        verbs::frame_destination each;
        each.address = verbs::ip_address::from_string(config.groups[i].address).value();
        each.port = config.groups[i].port;
        each.source = source_of(config, i, each.address, through);
        each.source_port = source_port;
        each.vlan = config.vlan ? config.vlan : through.interface().vlan;
        each.hops = static_cast<std::uint8_t>(config.hops);
        destinations.push_back(each);
    }
    return destinations;
}

}  // namespace

class raw_sender::state {
public:
    state(const raw_sender_config& config, verbs::device through,
          std::span<const verbs::frame_destination> destinations)
        : sender(std::move(through), destinations, config.packet_bytes_max, config.packets_in_flight_max) {}

    verbs::frame_sender sender;
};

void raw_sender_config::validate() const {
    if (groups.empty()) throw config_error("groups", "none", "must be one group or more");
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string field = fmt::format("groups[{}]", i);
        groups[i].validate(field);
        if (!verbs::ip_address::from_string(groups[i].address)->is_multicast())
            throw config_error(field, groups[i].name(),
                               "must be a multicast group: nobody resolves MAC addresses here");
    }
    if (interface.empty())
        throw config_error("interface", "\"\"", "must name the network interface or the RDMA device to send through");
    if (vlan) check_range<std::uint16_t>("vlan", *vlan, 1, vlan_max);
    check_range("hops", hops, 0, 255);
    check_range("packet_bytes_max", packet_bytes_max, std::size_t{1}, datagram_bytes_max);
    check_range("packets_in_flight_max", packets_in_flight_max, std::size_t{1}, std::size_t{1} << 20);
}

raw_sender::raw_sender(const raw_sender_config& config) {
    config.validate();
    verbs::device through(config.interface);
    const std::vector<verbs::frame_destination> destinations = destinations_of(config, through);
    state_ = std::make_unique<state>(config, std::move(through), destinations);
}

raw_sender::~raw_sender() = default;

void raw_sender::add(std::size_t group, std::span<const std::byte> head, std::span<const std::byte> tail) {
    state_->sender.add(group, head, tail);
}

void raw_sender::flush() { state_->sender.flush(); }

std::string raw_sender::device() const { return state_->sender.owner().port_name(); }

}  // namespace verbcast
