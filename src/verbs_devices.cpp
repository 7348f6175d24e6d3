// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/verbs_devices.hpp>

#include "verbs/device_survey.hpp"
#include "verbs/os_error.hpp"

namespace verbcast {

verbs_devices read_verbs_devices() {
    verbs_devices made;
    made.fork_is_safe = verbs::fork_is_safe();
    try {
        for (const verbs::surveyed_device& each : verbs::survey_devices())
            made.devices.push_back({.name = each.name,
                                    .interface = each.interface,
                                    .trouble = each.trouble,
                                    .receives_max = each.can.receives_max,
                                    .completions_max = each.can.completions_max,
                                    .region_bytes_max = each.can.region_bytes_max,
                                    .timestamps = each.can.timestamps,
                                    .counts_flows = each.counts_flows,
                                    .queue_pair_refused = each.queue_pair_refused,
                                    .flow_rule_refused = each.flow_rule_refused});
    } catch (const verbs::os_error& error) {
        made.trouble = error.what();
    }
    return made;
}

}  // namespace verbcast
