// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/device_survey.hpp"

#include <cerrno>
#include <cstddef>

#include "verbs/completion_queue.hpp"
#include "verbs/flow_rule.hpp"
#include "verbs/os_error.hpp"
#include "verbs/raw_queue_pair.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

std::vector<std::string> device_names() {
    int count = 0;
    ibv_device** const list = ibv_get_device_list(&count);
    if (list == nullptr && errno == ENOSYS) return {};  // a kernel without RDMA
    if (list == nullptr) throw os_error(errno, "ibv_get_device_list()");
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) names.emplace_back(ibv_get_device_name(list[i]));
    ibv_free_device_list(list);
    return names;
}

/// A group that nobody uses: the discard port, in the range for tries.
flow_match unused_match() {
    flow_match match;
    match.destination = ip_address::from_string("233.252.0.254").value();
    match.port = 9;
    match.destination_mac = multicast_mac(match.destination);
    return match;
}

void try_rule(surveyed_device& into, const device& owner, ibv_qp* pair) {
    try {
        if (const int error = to_ready_to_receive(pair)) throw_verbs_error(error, "ibv_modify_qp(RTR)", into.name);
        const flow_rule rule(owner, pair, unused_match(), 0);
        into.counts_flows = rule.frames_matched().has_value();
    } catch (const os_error& error) {
        into.flow_rule_refused = error.what();
    }
}

void try_queue_pair(surveyed_device& into, const device& owner) {
    constexpr std::size_t entries = 8;
    try {
        const protection_domain domain(ibv_alloc_pd(owner.get()));
        if (!domain) throw_verbs_error(errno, "ibv_alloc_pd", into.name);
        const completion_queue completions(owner, {.entries = entries, .events = false});
        const queue_pair pair = make_raw_receiver(owner, domain.get(), completions.get(), entries);
        try_rule(into, owner, pair.get());
    } catch (const os_error& error) {
        into.queue_pair_refused = error.what();
        into.flow_rule_refused = "there is no queue pair to make a rule for";
    }
}

}  // namespace

std::vector<surveyed_device> survey_devices() {
    std::vector<surveyed_device> found;
    for (const std::string& name : device_names()) {
        surveyed_device& into = found.emplace_back();
        into.name = name;
        try {
            const device owner(name);
            into.interface = owner.interface().name;
            into.can = owner.can();
            try_queue_pair(into, owner);
        } catch (const os_error& error) {
            into.trouble = error.what();
        }
    }
    return found;
}

bool fork_is_safe() noexcept { return ibv_is_fork_initialized() != IBV_FORK_DISABLED; }

}  // namespace verbcast::verbs
