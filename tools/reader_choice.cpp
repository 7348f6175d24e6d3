// SPDX-License-Identifier: BSD-3-Clause
#include "reader_choice.hpp"

#include <stdexcept>
#include <system_error>

#include <verbcast/error.hpp>

#include "command.hpp"
#include "interface_name.hpp"

namespace verbcast::tools {
namespace {

reader_choice add_udp(stream_base& to, udp_reader_config config, std::string why) {
    if (!config.interface.empty()) config.interface = find_interface(config.interface);
    to.add_reader(config);
    return {.name = "udp", .why = std::move(why)};
}

reader_choice add_automatic(stream_base& to, const reader_configs& configs) {
    if (configs.ibv.interface.empty()) return add_udp(to, configs.udp, "ibverbs needs an --interface");
    try {
        to.add_reader(configs.ibv);
        return {.name = "ibv", .why = configs.ibv.interface + " belongs to an RDMA device that can"};
    } catch (const config_error& error) {
        return add_udp(to, configs.udp, std::string("not ibverbs: ") + error.what());
    } catch (const std::system_error& error) {
        return add_udp(to, configs.udp, std::string("not ibverbs: ") + error.what());
    }
}

reader_choice add_ibv(stream_base& to, const ibv_reader_config& config, std::string why) {
    to.add_reader(config);
    return {.name = "ibv", .why = std::move(why)};
}

/// What changes which packets are received, so that sockets would receive others; "" when there is nothing.
std::string only_of_ibv(const ibv_reader_config& config) {
    if (config.transport == ibv_reader_config::queue_transport::ud) return "--transport ud";
    return config.vlan ? "--vlan" : "";
}

/// Says also why sockets were not taken, which `automatic` promises.
reader_choice add_instead_of_sockets(stream_base& to, const ibv_reader_config& config, const std::string& only_ibv) {
    const std::string why = "sockets do not have " + only_ibv;
    try {
        return add_ibv(to, config, why);
    } catch (const std::system_error& error) {
        throw std::runtime_error(std::string(error.what()) + "; and " + why);
    }
}

}  // namespace

reader_choice add_reader(stream_base& to, reader_wish wish, const reader_configs& configs) {
    const std::string only_ibv = only_of_ibv(configs.ibv);
    switch (wish) {
    case reader_wish::udp:
        if (!only_ibv.empty()) throw usage_error(only_ibv + " is of a NIC's queue: --reader udp does not have it");
        return add_udp(to, configs.udp, "as asked");
    case reader_wish::ibv: return add_ibv(to, configs.ibv, "as asked");
    case reader_wish::automatic: break;
    }
    return only_ibv.empty() ? add_automatic(to, configs) : add_instead_of_sockets(to, configs.ibv, only_ibv);
}

std::vector<group> parse_groups(const std::vector<std::string>& texts) {
    std::vector<group> groups;
    groups.reserve(texts.size());
    for (const std::string& text : texts) groups.push_back(group::parse(text, "GROUP"));
    return groups;
}

}  // namespace verbcast::tools
