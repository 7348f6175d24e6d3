// SPDX-License-Identifier: BSD-3-Clause
#include "text_output.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <verbcast/packet.hpp>

#include "human_units.hpp"
#include "json_output.hpp"
#include "reason_text.hpp"
#include "safe_text.hpp"

namespace verbcast::tools {
namespace {

constexpr std::size_t preview_bytes = 8;
constexpr std::size_t gaps_shown_max = 8;
constexpr std::size_t text_shown_max = 200;

std::string shortened(const std::string& text) {
    if (text.size() <= text_shown_max) return safe_text(text);
    return safe_text(text.substr(0, text_shown_max)) + "...";
}

std::string_view known_name(std::uint64_t id) {
    switch (id) {
    case item_id::descriptor: return "(descriptor)";
    case item_id::stream_control: return "(stream control)";
    default: return "";
    }
}

std::string preview(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte each : bytes.first(std::min(bytes.size(), preview_bytes)))
        text += fmt::format(" {:02x}", static_cast<unsigned>(each));
    return text + (bytes.size() > preview_bytes ? " ..." : "");
}

/// What is missing of an incomplete heap, as far as its end is known.
std::string gaps_text(const heap& each) {
    std::vector<byte_range> gaps;
    std::uint64_t at = 0;
    for (const byte_range& range : each.ranges()) {
        if (range.first > at) gaps.push_back({at, range.first});
        at = range.end;
    }
    if (each.length() && *each.length() > at) gaps.push_back({at, *each.length()});
    std::string text;
    for (std::size_t i = 0; i < gaps.size() && i < gaps_shown_max; ++i)
        text += fmt::format("{}{} to {}", i == 0 ? "    missing: bytes " : ", ", gaps[i].first, gaps[i].end - 1);
    if (gaps.size() > gaps_shown_max) text += fmt::format(", and {} more gaps", gaps.size() - gaps_shown_max);
    return text.empty() ? text : text + "\n";
}

std::string size_text(const heap& each) {
    if (each.status() == heap_status::complete) return fmt::format("{} bytes", each.received_bytes());
    if (each.length()) return fmt::format("{} of {} bytes", each.received_bytes(), *each.length());
    return fmt::format("{} bytes, length unknown", each.received_bytes());
}

std::string headline(const heap& each) {
    const char* const status = each.status() == heap_status::complete     ? "complete"
                               : each.status() == heap_status::contiguous ? "contiguous"
                                                                          : "incomplete";
    std::string text = fmt::format("heap {}: {}, {} in {}, SPEAD-64-{}", each.cnt(), status, size_text(each),
                                   counted(each.packets(), "packet"), each.address_bits());
    if (each.is_start()) text += ", stream start";
    if (each.is_stop()) text += ", stream stop";
    return text + "\n";
}

std::string descriptor_text(const descriptor& about) {
    std::string type = about.numpy_header;
    if (type.empty()) {
        for (const format_field& field : about.format)
            type += fmt::format("{}{}{}", type.empty() ? "" : " ", field.character, field.bits);
        for (const std::int64_t size : about.shape)
            type += size == descriptor::variable ? "[any]" : fmt::format("[{}]", size);
    }
    return fmt::format("    {:#06x} is \"{}\": {}; {}\n", about.id, shortened(about.name), shortened(about.description),
                       shortened(type));
}

class account_table {
public:
    explicit account_table(int width) : width_(width) {}

    /// A term, unless it is zero.
    void add(int depth, std::string_view label, std::uint64_t count, std::string_view note = "") {
        if (count != 0) add_always(depth, label, grouped(count), note);
    }
    void add_always(int depth, std::string_view label, const std::string& count, std::string_view note = "") {
        const std::string indented = std::string(static_cast<std::size_t>(2 * depth), ' ') + std::string(label);
        text_ += fmt::format("{:<30}{:>{}}{}{}\n", indented, count, width_, note.empty() ? "" : "  ", note);
    }
    /// A term that may be counted by nobody, which is not the same as zero.
    void add_if_counted(std::string_view label, std::optional<std::uint64_t> count, std::string_view note) {
        add_always(0, label, count ? grouped(*count) : "-", count ? note : "not counted");
    }
    template <class Reason, std::size_t Count>
    void add_reasons(std::string_view label, const reason_counts<Reason, Count>& counts) {
        add(1, label, counts.total());
        for (std::size_t i = 0; i < Count; ++i) {
            const auto reason = static_cast<Reason>(i);
            add(2, name(reason), counts[reason], meaning(reason));
        }
    }
    std::string take() { return std::move(text_); }

private:
    int width_;
    std::string text_;
};

}  // namespace

void heap_printer::learn(const descriptor& about) {
    if (names_.size() < names_max || names_.contains(about.id)) names_[about.id] = shortened(about.name);
}

std::string heap_printer::name_of(std::uint64_t id) const {
    const auto found = names_.find(id);
    return found == names_.end() ? std::string(known_name(id)) : found->second;
}

std::string heap_printer::text_of(const heap& each) {
    const std::vector<descriptor> descriptors = each.descriptors();
    for (const descriptor& about : descriptors) learn(about);
    std::string text = headline(each);
    for (const item& one : each.items()) {
        const std::string title = fmt::format("    {:#06x} {:<16}", one.id, name_of(one.id));
        if (one.immediate)
            text += fmt::format("{} {:>12}  value\n", title, one.value);
        else
            text += fmt::format("{} {:>12}  bytes, crc32 {:08x}:{}\n", title, one.length, crc32(one.bytes),
                                preview(one.bytes));
    }
    if (each.status() == heap_status::incomplete) text += gaps_text(each);
    for (const descriptor& about : descriptors) text += descriptor_text(about);
    return text;
}

std::string account_text(const stream_stats& stats) {
    const packet_account& account = stats.account;
    account_table table(static_cast<int>(std::max<std::size_t>(grouped(account.received).size(), 8)));
    table.add_always(0, "packets received", grouped(account.received));
    table.add(1, "in complete heaps", account.delivered_complete);
    table.add(1, "in incomplete heaps", account.delivered_incomplete);
    table.add(1, "in the heap that says stop", account.stop_heap);
    table.add(1, "dropped: ring full", account.dropped_ring_full, "heaps were not taken as fast as they came");
    table.add(1, "dropped: heap incomplete", account.dropped_incomplete, "other packets of the heap are missing");
    table.add(1, "dropped: stopped", account.dropped_user_stop, "their heaps were under way at the end");
    table.add(1, "dropped: error", account.dropped_error);
    table.add(1, "in heaps not yet complete", account.live);
    table.add(1, "in heaps not yet taken", account.in_ring);
    table.add_reasons("rejected", account.rejected);
    table.add_reasons("ignored", account.ignored);
    table.add_if_counted("lost by the kernel", stats.lost.kernel_buffers,
                         stats.lost.kernel_buffers.value_or(0) == 0 ? "buffers"
                                                                    : "buffers; with GRO each may be many packets");
    table.add_if_counted("lost by the NIC", stats.lost.nic, "frames");
    table.add(1, "its queue revived", stats.queues_revived, "it had broken down");
    for (const port_stats& port : stats.ports)
        for (const port_stats::counter& each : port.counters)
            table.add(1, port.name + " " + each.name, each.count.value_or(0),
                      "as the device counts for the whole host");
    table.add_always(0, "heaps", grouped(stats.heaps));
    table.add(1, "incomplete: overtaken", stats.incomplete_heaps_evicted, "newer heaps took their place");
    table.add(1, "incomplete: at the end", stats.incomplete_heaps_flushed, "the stream ended in them");
    table.add(1, "incomplete: too old", stats.incomplete_heaps_aged, "no packet came for --heap-age");
    table.add(1, "first packet lost", stats.heaps_start_missing, "without it nothing of the heap was taken");
    table.add(1, "dropped: ring full", stats.heaps_dropped_ring_full);
    if (stats.groups.size() > 1)
        for (const group_stats& each : stats.groups)
            table.add_always(0, safe_text(each.name), grouped(each.received), "packets");
    return table.take();
}

std::string losses_text(const stream_stats& stats) {
    std::string text;
    const auto add = [&](std::uint64_t count, std::string_view what, std::string_view unit) {
        if (count == 0) return;
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, counted(count, unit));
    };
    add(stats.lost.nic.value_or(0), "NIC", "frame");
    add(stats.lost.kernel_buffers.value_or(0), "kernel", "buffer");
    add(stats.heaps_dropped_ring_full, "ring full", "heap");
    add(stats.incomplete_heaps_evicted + stats.incomplete_heaps_flushed + stats.incomplete_heaps_aged, "incomplete",
        "heap");
    add(stats.heaps_start_missing, "without start", "heap");
    add(stats.account.rejected.total(), "rejected", "packet");
    add(stats.account.dropped_error, "error", "packet");
    return text.empty() ? "none" : text;
}

bool has_losses(const stream_stats& stats) noexcept {
    const packet_account& account = stats.account;
    const std::uint64_t repeated =
        account.rejected[reject_reason::duplicate] + account.rejected[reject_reason::overlap];
    return stats.lost.kernel_buffers.value_or(0) != 0 || stats.lost.nic.value_or(0) != 0 ||
           account.delivered_incomplete != 0 || account.dropped_ring_full != 0 || account.dropped_incomplete != 0 ||
           account.dropped_error != 0 || account.rejected.total() != repeated || stats.incomplete_heaps_evicted != 0 ||
           stats.incomplete_heaps_flushed != 0 || stats.incomplete_heaps_aged != 0 || stats.heaps_start_missing != 0;
}

}  // namespace verbcast::tools
