// SPDX-License-Identifier: BSD-3-Clause
#include "fault_script.hpp"

#include <algorithm>
#include <array>
#include <cassert>

namespace softnic {
namespace {

using namespace std::string_view_literals;

std::uint64_t scramble(std::uint64_t value) noexcept {
    // The finaliser of SplitMix64.
    value += 0x9e3779b97f4a7c15ULL;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

double fraction(std::uint64_t value) noexcept { return static_cast<double>(value >> 11) * 0x1p-53; }

}  // namespace

bool fault_script::selects(const selection& which, std::uint64_t rule, std::uint64_t number) const noexcept {
    if (number < which.first || number > which.last) return false;
    if (which.every != 0 && (number - which.first + 1) % which.every == 0) return true;
    if (std::find(which.numbers.begin(), which.numbers.end(), number) != which.numbers.end()) return true;
    return which.rate && fraction(scramble(scramble(seed_ ^ scramble(rule)) ^ number)) < *which.rate;
}

void fault_script::apply(action what, std::uint64_t amount, breakage& broken) noexcept {
    broken.queue_pairs |= what == action::break_queue_pairs;
    broken.completion_queues |= what == action::break_completion_queues;
    broken.device |= what == action::fail_device;
    if (what == action::fail_port) broken.port_frames = std::max(broken.port_frames, amount);
}

void fault_script::apply(const frame_rule& rule, frame_verdict& verdict) noexcept {
    verdict.drop |= rule.what == action::drop;
    verdict.corrupt |= rule.what == action::corrupt;
    if (rule.what == action::repeat) verdict.extra_copies += rule.amount;
    if (rule.what == action::reorder) verdict.delay_frames = std::max(verdict.delay_frames, rule.amount);
    apply(rule.what, rule.amount, verdict.broken);
}

frame_verdict fault_script::judge(std::string_view device, std::uint64_t frame) const noexcept {
    frame_verdict verdict;
    for (std::size_t i = 0; i < frame_rules_.size(); ++i) {
        const frame_rule& rule = frame_rules_[i];
        if (!rule.device.empty() && rule.device != device) continue;
        if (selects(rule.which, i, frame)) apply(rule, verdict);
    }
    verdict.random = scramble(seed_ + frame);
    return verdict;
}

std::vector<const fault_script::call_rule*> fault_script::count_call(std::string_view verb) {
    assert(is_verb(verb) && "a verb that rules cannot name");
    std::vector<const call_rule*> met;
    const auto found = verbs_.find(verb);
    if (found == verbs_.end()) return met;
    const std::uint64_t call = found->second.calls.fetch_add(1, std::memory_order_relaxed) + 1;
    for (std::size_t i = 0; i < found->second.rules.size(); ++i) {
        if (selects(found->second.rules[i].which, i, call)) met.push_back(&found->second.rules[i]);
    }
    if (!met.empty()) found->second.failed.fetch_add(1, std::memory_order_relaxed);
    return met;
}

bool fault_script::is_verb(std::string_view name) noexcept {
    static constexpr std::array names{"ibv_alloc_parent_domain"sv,
                                      "ibv_alloc_pd"sv,
                                      "ibv_alloc_td"sv,
                                      "ibv_attach_counters_point_flow"sv,
                                      "ibv_close_device"sv,
                                      "ibv_create_comp_channel"sv,
                                      "ibv_create_counters"sv,
                                      "ibv_create_cq"sv,
                                      "ibv_create_cq_ex"sv,
                                      "ibv_create_flow"sv,
                                      "ibv_create_qp"sv,
                                      "ibv_create_qp_ex"sv,
                                      "ibv_dealloc_pd"sv,
                                      "ibv_dealloc_td"sv,
                                      "ibv_dereg_mr"sv,
                                      "ibv_destroy_comp_channel"sv,
                                      "ibv_destroy_counters"sv,
                                      "ibv_destroy_cq"sv,
                                      "ibv_destroy_flow"sv,
                                      "ibv_destroy_qp"sv,
                                      "ibv_fork_init"sv,
                                      "ibv_get_async_event"sv,
                                      "ibv_get_cq_event"sv,
                                      "ibv_get_device_list"sv,
                                      "ibv_modify_qp"sv,
                                      "ibv_open_device"sv,
                                      "ibv_poll_cq"sv,
                                      "ibv_post_recv"sv,
                                      "ibv_post_send"sv,
                                      "ibv_query_device"sv,
                                      "ibv_query_device_ex"sv,
                                      "ibv_query_gid"sv,
                                      "ibv_query_gid_ex"sv,
                                      "ibv_query_gid_table"sv,
                                      "ibv_query_pkey"sv,
                                      "ibv_query_port"sv,
                                      "ibv_query_qp"sv,
                                      "ibv_query_rt_values_ex"sv,
                                      "ibv_read_counters"sv,
                                      "ibv_reg_mr"sv,
                                      "ibv_reg_mr_iova"sv,
                                      "ibv_req_notify_cq"sv,
                                      "ibv_rereg_mr"sv,
                                      "ibv_resize_cq"sv,
                                      "ibv_start_poll"sv,
                                      "ibv_wr_start"sv};
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace softnic
