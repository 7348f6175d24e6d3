// SPDX-License-Identifier: BSD-3-Clause
#include "nic_faults/scenario.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <sstream>

namespace verbcast::nic_faults {
namespace {

/// Lose, repeat and damage single frames.
constexpr std::array frame_faults{"drop", "repeat", "reorder", "corrupt"};
/// Break something for good, or for a while.
constexpr std::array breakages{"queue_pair_fatal", "completion_queue_error", "port_error", "device_fatal"};
constexpr std::array opening_verbs{"ibv_get_device_list", "ibv_open_device",     "ibv_query_device",
                                   "ibv_query_device_ex", "ibv_query_gid_table", "ibv_query_port",
                                   "ibv_alloc_pd",        "ibv_reg_mr",          "ibv_create_comp_channel",
                                   "ibv_create_cq",       "ibv_create_cq_ex",    "ibv_create_qp",
                                   "ibv_modify_qp",       "ibv_create_counters", "ibv_attach_counters_point_flow",
                                   "ibv_create_flow"};
constexpr std::array receiving_verbs{"ibv_post_recv",    "ibv_read_counters",   "ibv_req_notify_cq", "ibv_poll_cq",
                                     "ibv_get_cq_event", "ibv_get_async_event", "ibv_query_qp"};
constexpr std::array errors{1, 5, 12, 13, 19, 22, 28, 95};

class dice {
public:
    explicit dice(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t number(std::uint64_t least, std::uint64_t most) {
        return std::uniform_int_distribution<std::uint64_t>(least, most)(engine_);
    }
    bool one_in(std::uint64_t chances) { return number(1, chances) == 1; }
    template <class List>
    const auto& pick(const List& list) {
        return list[number(0, list.size() - 1)];
    }

private:
    std::mt19937_64 engine_;
};

std::string frame_fault(dice& random) {
    std::ostringstream line;
    line << "frame " << random.pick(frame_faults) << " rate=0." << random.number(101, 220);
    return line.str();
}

std::string breakage(dice& random) {
    std::ostringstream line;
    line << "frame " << random.pick(breakages) << " frame=" << random.number(1, 60);
    if (random.one_in(4)) line << " frame=" << random.number(61, 120);
    return line.str();
}

std::string verb_fault(dice& random) {
    std::ostringstream line;
    if (random.one_in(2))
        line << random.pick(opening_verbs) << " call=" << random.number(1, 3);
    else
        line << random.pick(receiving_verbs) << " call=" << random.number(1, random.one_in(2) ? 2 : 20);
    line << " errno=" << random.pick(errors);
    return line.str();
}

std::vector<std::string> make_faults(dice& random) {
    std::vector<std::string> faults;
    for (std::uint64_t left = random.number(0, 2); left != 0; --left) faults.push_back(frame_fault(random));
    if (random.one_in(3)) faults.push_back(breakage(random));
    if (random.one_in(2)) faults.push_back(verb_fault(random));
    if (random.one_in(6)) faults.push_back(verb_fault(random));
    return faults;
}

ibv_reader_config make_reader(dice& random) {
    ibv_reader_config config{.groups = {group::parse("239.255.88.1:7148")}, .interface = "lo"};
    config.packet_bytes_max = 1000;
    config.buffer_bytes = random.one_in(3) ? 8 * 1152 : random.number(64, 512) * 1152;
    config.polling = random.one_in(4);
    config.poll_rounds_max = random.number(1, 8);
    config.timestamps = random.one_in(2);
    return config;
}

}  // namespace

std::string scenario::kind(const std::string& fault) {
    std::istringstream words(fault);
    std::string first;
    std::string second;
    words >> first >> second;
    return first == "frame" ? second : first;
}

bool scenario::has(const std::string& wanted) const {
    return std::any_of(faults.begin(), faults.end(), [&](const std::string& each) { return kind(each) == wanted; });
}

scenario make_scenario(std::uint64_t seed) {
    dice random(seed);
    scenario made;
    made.seed = seed;
    made.faults = make_faults(random);
    made.reader = make_reader(random);
    made.ring = random.one_in(3);
    made.out_of_order = !random.one_in(4);
    made.heaps = static_cast<unsigned>(random.number(1, 120));
    made.payload_bytes = random.one_in(8) ? 1400 : random.number(8, 900);
    made.end = static_cast<ending>(random.number(0, 2));
    made.stop_after_packets = random.number(0, 2 * made.heaps);
    return made;
}

std::vector<std::string> all_verbs() {
    std::vector<std::string> all(opening_verbs.begin(), opening_verbs.end());
    all.insert(all.end(), receiving_verbs.begin(), receiving_verbs.end());
    all.emplace_back("ibv_start_poll");
    return all;
}

scenario scenario_with_failure(const std::string& verb, unsigned call) {
    scenario made;
    made.faults = {verb + " call=" + std::to_string(call) + " errno=12"};
    // These are called when there is an event only.
    if (verb == "ibv_get_async_event" || verb == "ibv_query_qp")
        made.faults.emplace_back("frame queue_pair_fatal frame=5");
    made.reader = {.groups = {group::parse("239.255.88.1:7148")}, .interface = "lo"};
    made.reader.packet_bytes_max = 1000;
    made.reader.buffer_bytes = 512 * 1152;
    made.reader.timestamps = verb == "ibv_create_cq_ex" || verb == "ibv_start_poll";
    made.heaps = 20;
    made.payload_bytes = 100;
    return made;
}

std::vector<std::string> all_kinds() {
    std::vector<std::string> all(frame_faults.begin(), frame_faults.end());
    all.insert(all.end(), breakages.begin(), breakages.end());
    all.insert(all.end(), opening_verbs.begin(), opening_verbs.end());
    all.insert(all.end(), receiving_verbs.begin(), receiving_verbs.end());
    return all;
}

}  // namespace verbcast::nic_faults
