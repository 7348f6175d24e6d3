// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/verbs_json.hpp"

namespace verbcast::tools {

json to_json(const verbs_devices& seen) {
    json devices = json::array();
    for (const verbs_device& each : seen.devices)
        devices.push_back({{"name", each.name},
                           {"interface", each.interface},
                           {"trouble", each.trouble},
                           {"receives_max", each.receives_max},
                           {"completions_max", each.completions_max},
                           {"region_bytes_max", each.region_bytes_max},
                           {"timestamps", each.timestamps},
                           {"counts_flows", each.counts_flows},
                           {"queue_pair_refused", each.queue_pair_refused},
                           {"flow_rule_refused", each.flow_rule_refused}});
    return {{"devices", devices}, {"trouble", seen.trouble}, {"fork_is_safe", seen.fork_is_safe}};
}

verbs_devices verbs_devices_from_json(const json& from) {
    verbs_devices made;
    made.trouble = from.value("trouble", "");
    made.fork_is_safe = from.value("fork_is_safe", true);
    for (const json& each : from.at("devices"))
        made.devices.push_back({.name = each.at("name").get<std::string>(),
                                .interface = each.value("interface", ""),
                                .trouble = each.value("trouble", ""),
                                .receives_max = each.value("receives_max", std::uint32_t{0}),
                                .completions_max = each.value("completions_max", std::uint32_t{0}),
                                .region_bytes_max = each.value("region_bytes_max", std::uint64_t{0}),
                                .timestamps = each.value("timestamps", false),
                                .counts_flows = each.value("counts_flows", false),
                                .queue_pair_refused = each.value("queue_pair_refused", ""),
                                .flow_rule_refused = each.value("flow_rule_refused", "")});
    return made;
}

}  // namespace verbcast::tools
