// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/topology_json.hpp"

namespace verbcast::tools {
namespace {

template <class Value>
json or_null(const std::optional<Value>& value) {
    return value ? json(*value) : json(nullptr);
}

json or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }
json or_null(double number) { return number > 0 ? json(number) : json(nullptr); }

json link_json(const pcie_link& link) {
    return {{"gigabytes_per_second", or_null(link.gigabytes_per_second)},
            {"width", or_null(link.width)},
            {"width_max", or_null(link.width_max)},
            {"gigatransfers", or_null(link.gigatransfers)},
            {"gigatransfers_max", or_null(link.gigatransfers_max)}};
}

json nic_json(const host_view& view, const topology::nic& nic, const placement_report& proposed) {
    const network_interface* const interface = view.find_interface(nic.netdev);
    json interrupts = json::array();
    for (const interrupt& each : view.interrupts_of(nic))
        interrupts.push_back({{"number", each.number}, {"cpus", each.cpus}});
    const bool has_speed = interface != nullptr && interface->megabits;
    return {{"netdev", or_null(nic.netdev)},
            {"device", or_null(nic.device)},
            {"pci_address", or_null(nic.pci_address)},
            {"model", or_null(nic.model)},
            {"numa_node", or_null(nic.node)},
            {"locality", locality_name(nic.where)},
            {"local_cpus", nic.cpus},
            {"link", link_json(view.link_of(nic))},
            {"port_gbps", has_speed ? json(*interface->megabits / 1000.0) : json(nullptr)},
            {"mtu", interface != nullptr ? json(interface->mtu) : json(nullptr)},
            {"up", interface != nullptr ? json(interface->up && interface->carrier) : json(nullptr)},
            {"interrupts", interrupts},
            {"proposed_cores", proposed.cores},
            {"memory_node", or_null(proposed.memory_node)},
            {"why", proposed.text},
            {"command", command_for(nic, proposed)}};
}

}  // namespace

json topology_json(const host_view& view, const std::vector<placement_report>& proposed) {
    const topology& host = view.layout;
    json packages = json::array(), nodes = json::array(), caches = json::array(), cpus = json::array(),
         nics = json::array();
    for (const topology::package& each : host.packages)
        packages.push_back({{"number", each.number}, {"model", or_null(each.model)}});
    for (const topology::cache& each : host.caches)
        caches.push_back({{"bytes", each.bytes != 0 ? json(each.bytes) : json(nullptr)}});
    for (const topology::memory_node& each : host.nodes)
        nodes.push_back(
            {{"number", each.number}, {"bytes", each.bytes}, {"cpus", each.cpus}, {"allowed", each.allowed}});
    for (const topology::cpu& each : host.cpus)
        cpus.push_back({{"number", each.number},
                        {"core", each.core},
                        {"cache", each.cache},
                        {"package", each.package},
                        {"numa_node", or_null(each.node)},
                        {"allowed", each.allowed}});
    for (std::size_t i = 0; i < host.nics.size(); ++i) nics.push_back(nic_json(view, host.nics[i], proposed[i]));
    return {{"host", or_null(host.host)}, {"packages", packages}, {"nodes", nodes},
            {"caches", caches},           {"cpus", cpus},         {"nics", nics}};
}

}  // namespace verbcast::tools
