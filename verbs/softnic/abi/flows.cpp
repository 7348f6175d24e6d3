// SPDX-License-Identifier: BSD-3-Clause
// Flow rules and their counters.
#include "../flow_rule.hpp"
#include "../queue_pair.hpp"
#include "abi.hpp"

#include <algorithm>
#include <memory>

using namespace softnic;

ibv_flow* abi::create_flow(ibv_qp* handle, ibv_flow_attr* attributes) {
    return as_handle<ibv_flow>([&](ibv_flow*& made) {
        device_context& opened = device_context::of(handle->context);
        if (const int error = refusal("ibv_create_flow", opened.owner); error != 0) return error;
        auto rule = std::make_unique<flow_rule>();
        if (const int error = read_flow_rule(*attributes, *rule); error != 0) return error;
        rule->context = handle->context;
        rule->target = &queue_pair::of(handle);
        for (counter_set* counters : rule->counters) {
            const std::scoped_lock lock(counters->mutex);
            if (counters->points.empty()) return EINVAL;
        }
        if (const int error = opened.owner.attached_port().add_rule(*rule); error != 0) return error;
        ++rule->target->users;
        for (counter_set* counters : rule->counters) ++counters->users;
        const std::scoped_lock lock(opened.objects_mutex);
        opened.rules.insert(rule.get());
        made = rule.release();
        return 0;
    });
}

int abi::destroy_flow(ibv_flow* handle) {
    auto* rule = static_cast<flow_rule*>(handle);
    if (const int error = planned_failure("ibv_destroy_flow"); error != 0) return error;
    device_context& opened = device_context::of(handle->context);
    opened.owner.attached_port().remove_rule(*rule);
    --rule->target->users;
    for (counter_set* counters : rule->counters) --counters->users;
    const std::scoped_lock lock(opened.objects_mutex);
    opened.rules.erase(rule);
    delete rule;
    return 0;
}

ibv_counters* abi::create_counters(ibv_context* handle, ibv_counters_init_attr* initial) {
    return as_handle<ibv_counters>([&](ibv_counters*& made) {
        if (const int error = refusal("ibv_create_counters", handle); error != 0) return error;
        if (initial->comp_mask != 0) return EINVAL;
        auto* counters = new counter_set;
        counters->context = handle;
        made = counters;
        return 0;
    });
}

int abi::destroy_counters(ibv_counters* handle) {
    auto* counters = static_cast<counter_set*>(handle);
    if (const int error = planned_failure("ibv_destroy_counters"); error != 0) return error;
    if (counters->users != 0) return EBUSY;
    delete counters;
    return 0;
}

int abi::attach_counters(ibv_counters* handle, ibv_counter_attach_attr* attributes, ibv_flow* flow) {
    return as_error([&] {
        auto& counters = *static_cast<counter_set*>(handle);
        if (const int error = refusal("ibv_attach_counters_point_flow", handle->context); error != 0) return error;
        if (attributes->comp_mask != 0) return EINVAL;
        // Counters are bound when the rule is made, as on hardware.
        if (flow != nullptr) return ENOTSUP;
        if (attributes->counter_desc != IBV_COUNTER_PACKETS && attributes->counter_desc != IBV_COUNTER_BYTES) {
            return ENOTSUP;
        }
        if (counters.users != 0) return EBUSY;
        const std::scoped_lock lock(counters.mutex);
        counters.points.push_back({attributes->counter_desc, attributes->index});
        return 0;
    });
}

int abi::read_counters(ibv_counters* handle, std::uint64_t* values, std::uint32_t number, std::uint32_t) {
    auto& counters = *static_cast<counter_set*>(handle);
    if (const int error = refusal("ibv_read_counters", handle->context); error != 0) return error;
    const std::scoped_lock lock(counters.mutex);
    for (const counter_set::point& point : counters.points) {
        if (point.index >= number) return EINVAL;
    }
    std::fill_n(values, number, 0);
    for (const counter_set::point& point : counters.points) {
        values[point.index] += point.what == IBV_COUNTER_PACKETS ? counters.frames.load() : counters.bytes.load();
    }
    return 0;
}
