// SPDX-License-Identifier: BSD-3-Clause
#include "json_output.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <span>
#include <system_error>
#include <utility>

#include <boost/crc.hpp>
#include <fmt/format.h>

namespace verbcast::tools {
namespace {

std::string_view status_name(heap_status status) {
    switch (status) {
    case heap_status::complete: return "complete";
    case heap_status::contiguous: return "contiguous";
    case heap_status::incomplete: break;
    }
    return "incomplete";
}

json item_object(const item& each) {
    json object{{"id", each.id}};
    if (each.immediate)
        object["imm"] = each.value;
    else
        object["crc32"] = fmt::format("{:08x}", crc32(each.bytes));
    object["length"] = each.length;
    return object;
}

json descriptor_object(const descriptor& each) {
    json format = json::array();
    for (const format_field& field : each.format)
        format.push_back(json::array({std::string(1, field.character), field.bits}));
    return {
        {"id", each.id},    {"name", each.name},   {"description", each.description},
        {"format", format}, {"shape", each.shape}, {"numpy_header", each.numpy_header},
    };
}

template <class Reason, std::size_t Count>
json reasons_object(const reason_counts<Reason, Count>& counts) {
    json object = json::object();
    for (std::size_t i = 0; i < Count; ++i) {
        const auto reason = static_cast<Reason>(i);
        object[std::string(name(reason))] = counts[reason];
    }
    return object;
}

json or_null(const std::optional<std::uint64_t>& count) { return count ? json(*count) : json(nullptr); }

json account_object(const packet_account& account) {
    return {
        {"received", account.received},
        {"ignored", reasons_object(account.ignored)},
        {"rejected", reasons_object(account.rejected)},
        {"stop_heap", account.stop_heap},
        {"live", account.live},
        {"in_ring", account.in_ring},
        {"delivered", {{"complete", account.delivered_complete}, {"incomplete", account.delivered_incomplete}}},
        {"dropped",
         {{"ring_full", account.dropped_ring_full},
          {"incomplete", account.dropped_incomplete},
          {"user_stop", account.dropped_user_stop},
          {"error", account.dropped_error}}},
    };
}

json groups_object(const std::vector<group_stats>& groups) {
    json object = json::object();
    for (const group_stats& each : groups)
        object[each.name] = {
            {"received", each.received},
            {"ignored", reasons_object(each.ignored)},
            {"rejected", reasons_object(each.rejected)},
            {"accepted", each.accepted},
            {"kernel_buffers", or_null(each.kernel_buffers_dropped)},
            {"nic", or_null(each.nic_frames_dropped)},
            {"idle_periods", each.idle_periods},
        };
    return object;
}

json ports_object(const std::vector<port_stats>& ports) {
    json object = json::object();
    for (const port_stats& each : ports) {
        json& counters = object[each.name] = json::object();
        for (const port_stats::counter& one : each.counters) counters[one.name] = or_null(one.count);
    }
    return object;
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) {
    boost::crc_32_type crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
}

json heap_object(const heap& each) {
    json object{
        {"cnt", each.cnt()},
        {"status", status_name(each.status())},
        {"addr_bits", each.address_bits()},
    };
    if (each.is_start()) object["start"] = true;
    if (each.is_stop()) object["stop"] = true;
    if (each.status() == heap_status::incomplete) {
        object["heap_length"] = each.length() ? json(*each.length()) : json(-1);
        object["received"] = each.received_bytes();
        json& ranges = object["ranges"] = json::array();
        for (const byte_range& range : each.ranges()) ranges.push_back(json::array({range.first, range.end}));
    }
    json& items = object["items"] = json::array();
    for (const item& one : each.items()) items.push_back(item_object(one));
    const std::vector<descriptor> descriptors = each.descriptors();
    if (!descriptors.empty()) {
        json& list = object["descriptors"] = json::array();
        for (const descriptor& one : descriptors) list.push_back(descriptor_object(one));
    }
    return object;
}

json stats_object(const stream_stats& stats) {
    return {
        {"heaps", stats.heaps},
        {"packets", stats.packets},
        {"bytes", stats.bytes},
        {"incomplete_heaps_evicted", stats.incomplete_heaps_evicted},
        {"incomplete_heaps_flushed", stats.incomplete_heaps_flushed},
        {"incomplete_heaps_aged", stats.incomplete_heaps_aged},
        {"single_packet_heaps", stats.single_packet_heaps},
        {"heaps_start_missing", stats.heaps_start_missing},
        {"heaps_dropped_ring_full", stats.heaps_dropped_ring_full},
        {"account", account_object(stats.account)},
        {"lost", {{"kernel_buffers", or_null(stats.lost.kernel_buffers)}, {"nic", or_null(stats.lost.nic)}}},
        {"queues_revived", stats.queues_revived},
        {"groups", groups_object(stats.groups)},
        {"ports", ports_object(stats.ports)},
    };
}

std::string_view locality_name(topology::locality where) {
    switch (where) {
    case topology::locality::node: return "node";
    case topology::locality::machine: return "machine";
    case topology::locality::unknown: break;
    }
    return "unknown";
}

json placement_object(const placement_report& report) {
    return {{"cores", report.cores},
            {"memory_node", report.memory_node ? json(*report.memory_node) : json(nullptr)},
            {"locality", locality_name(report.locality)},
            {"text", report.text}};
}

std::string json_line(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

void print_json(const json& object) { print_text(json_line(object)); }

void print_text(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw std::system_error(errno, std::system_category(), "cannot write to standard output");
}

}  // namespace verbcast::tools
