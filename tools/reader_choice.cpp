// SPDX-License-Identifier: BSD-3-Clause
#include "reader_choice.hpp"

#include <system_error>

#include <verbcast/error.hpp>

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

}  // namespace

reader_choice add_reader(stream_base& to, reader_wish wish, const reader_configs& configs) {
    switch (wish) {
    case reader_wish::udp: return add_udp(to, configs.udp, "as asked");
    case reader_wish::ibv: to.add_reader(configs.ibv); return {.name = "ibv", .why = "as asked"};
    case reader_wish::automatic: break;
    }
    if (configs.ibv.transport == ibv_reader_config::queue_transport::ud) {
        to.add_reader(configs.ibv);
        return {.name = "ibv", .why = "only it has the transport ud"};
    }
    return add_automatic(to, configs);
}

std::vector<group> parse_groups(const std::vector<std::string>& texts) {
    std::vector<group> groups;
    groups.reserve(texts.size());
    for (const std::string& text : texts) groups.push_back(group::parse(text, "GROUP"));
    return groups;
}

}  // namespace verbcast::tools
