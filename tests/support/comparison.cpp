// SPDX-License-Identifier: BSD-3-Clause
#include "support/comparison.hpp"

#include <algorithm>
#include <cstdint>

namespace verbcast::test {
namespace {

/// Remembers the first pair that is not the same.
class differences {
public:
    template <class T>
    void compare(const char* what, const T& expected, const T& actual) {
        if (first_.empty() && !(expected == actual))
            first_ = std::string(what) + ": " + text(expected) + " expected, got " + text(actual);
    }
    std::string first() const { return first_; }

private:
    static std::string text(const std::string& value) { return '"' + value + '"'; }
    static std::string text(std::uint64_t value) { return std::to_string(value); }
    static std::string text(const reference::octets& value) { return std::to_string(value.size()) + " bytes"; }

    std::string first_;
};

std::uint64_t number(std::optional<std::uint64_t> length) { return length.value_or(packet::length_unknown); }

std::string status_name(heap_status status) {
    switch (status) {
    case heap_status::complete: return "complete";
    case heap_status::contiguous: return "contiguous";
    case heap_status::incomplete: return "incomplete";
    }
    return "";
}

std::uint64_t items_of(const reference::packet& from) {
    return static_cast<std::uint64_t>(std::count_if(from.pointers.begin(), from.pointers.end(),
                                                    [](const auto& each) { return each.id == 0 || each.id > 4; }));
}

void compare_items(differences& found, const std::vector<reference::item>& expected, std::span<const item> actual) {
    found.compare<std::uint64_t>("items", expected.size(), actual.size());
    for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
        found.compare("an item's id", expected[i].id, actual[i].id);
        found.compare<std::uint64_t>("whether an item is immediate", expected[i].immediate, actual[i].immediate);
        found.compare("an immediate", expected[i].value, actual[i].value);
        found.compare<std::uint64_t>("an item's length", expected[i].length, actual[i].length);
        found.compare("an item's bytes", expected[i].bytes, to_octets(actual[i].bytes));
    }
}

}  // namespace

reference::octets to_octets(std::span<const std::byte> bytes) {
    reference::octets out;
    out.reserve(bytes.size());
    for (const std::byte each : bytes) out.push_back(std::to_integer<std::uint8_t>(each));
    return out;
}

std::string difference(const reference::packet& expected, std::optional<reject_reason> refused, const packet& decoded) {
    differences found;
    found.compare("refused", expected.refused, refused ? std::string(name(*refused)) : std::string());
    if (refused || !expected.refused.empty()) return found.first();

    std::uint64_t address_max = 0;
    bool stops = false;
    reference::octets pointers;
    for (const reference::pointer& each : expected.pointers) {
        if (!each.immediate) address_max = std::max(address_max, each.value);
        stops = stops || (each.immediate && each.id == 6 && each.value == 2);
        for (int shift = 56; shift >= 0; shift -= 8) pointers.push_back(static_cast<std::uint8_t>(each.raw >> shift));
    }
    found.compare("heap_cnt", expected.heap_cnt, decoded.heap_cnt);
    found.compare("heap_length", number(expected.heap_length), decoded.heap_length);
    found.compare("payload_offset", expected.payload_offset, decoded.payload_offset);
    found.compare("payload", expected.payload, to_octets(decoded.payload));
    found.compare("pointers", pointers, to_octets(decoded.pointers));
    found.compare("address_max", address_max, decoded.address_max);
    found.compare<std::uint64_t>("bytes", expected.bytes, decoded.bytes);
    found.compare<std::uint64_t>("items", items_of(expected), decoded.items);
    found.compare<std::uint64_t>("address_bits", expected.address_bits, decoded.address_bits);
    found.compare<std::uint64_t>("stops", stops, decoded.stops);
    return found.first();
}

std::string difference(const reference::heap& expected, const heap& delivered) {
    differences found;
    found.compare("cnt", expected.cnt, delivered.cnt());
    found.compare("status", expected.status, status_name(delivered.status()));
    found.compare<std::uint64_t>("address_bits", expected.address_bits, delivered.address_bits());
    found.compare("length", number(expected.heap_length), number(delivered.length()));
    found.compare("received_bytes", expected.received, delivered.received_bytes());
    found.compare("packets", expected.packets, delivered.packets());
    found.compare<std::uint64_t>("ranges", expected.ranges.size(), delivered.ranges().size());
    for (std::size_t i = 0; i < std::min(expected.ranges.size(), delivered.ranges().size()); ++i) {
        found.compare("a range's first", expected.ranges[i].first, delivered.ranges()[i].first);
        found.compare("a range's end", expected.ranges[i].second, delivered.ranges()[i].end);
        if (!found.first().empty()) break;
        const auto bytes = delivered.payload().subspan(expected.ranges[i].first, expected.range_bytes[i].size());
        found.compare("a range's bytes", expected.range_bytes[i], to_octets(bytes));
    }
    compare_items(found, expected.items, delivered.items());
    return found.first();
}

std::string difference(const reference::stream& expected, const stream_stats& counted) {
    std::uint64_t complete = 0;
    std::uint64_t incomplete = 0;
    for (const reference::heap& each : expected.delivered)
        (each.status == "incomplete" ? incomplete : complete) += each.packets;
    const packet_account& account = counted.account;
    differences found;
    found.compare("received", expected.received, account.received);
    for (std::size_t i = 0; i < reject_reason_count; ++i) {
        const auto reason = static_cast<reject_reason>(i);
        const auto known = expected.rejected.find(std::string(name(reason)));
        const std::uint64_t count = known == expected.rejected.end() ? 0 : known->second;
        found.compare(name(reason).data(), count, account.rejected[reason]);
    }
    found.compare("ignored: empty", expected.ignored_empty, account.ignored[ignore_reason::empty]);
    found.compare("ignored: after_stop", expected.ignored_after_stop, account.ignored[ignore_reason::after_stop]);
    found.compare("ignored", expected.ignored_empty + expected.ignored_after_stop, account.ignored.total());
    found.compare("stop_heap", expected.stop_heap_packets, account.stop_heap);
    found.compare("live", expected.live_packets(), account.live);
    found.compare("delivered_complete", complete, account.delivered_complete);
    found.compare("delivered_incomplete", incomplete, account.delivered_incomplete);
    found.compare<std::uint64_t>("dropped_user_stop", expected.dropped_packets, account.dropped_user_stop);
    found.compare<std::uint64_t>("balanced", true, account.balanced());
    found.compare<std::uint64_t>("heaps", expected.delivered.size(), counted.heaps);
    found.compare("packets", expected.decoded, counted.packets);
    found.compare("bytes", expected.payload_bytes, counted.bytes);
    found.compare("incomplete_heaps_evicted", expected.evicted_heaps, counted.incomplete_heaps_evicted);
    found.compare("incomplete_heaps_flushed", expected.flushed_heaps, counted.incomplete_heaps_flushed);
    found.compare("single_packet_heaps", expected.single_packet_heaps, counted.single_packet_heaps);
    return found.first();
}

std::string difference(const std::vector<reference::descriptor>& expected, const std::vector<descriptor>& decoded) {
    differences found;
    found.compare<std::uint64_t>("descriptors", expected.size(), decoded.size());
    for (std::size_t i = 0; i < std::min(expected.size(), decoded.size()); ++i) {
        found.compare("id", expected[i].id, decoded[i].id);
        found.compare("name", expected[i].name, decoded[i].name);
        found.compare("description", expected[i].description, decoded[i].description);
        found.compare("numpy_header", expected[i].numpy_header, decoded[i].numpy_header);
        std::string format;
        std::string decoded_format;
        for (const auto& [character, bits] : expected[i].format) format += character + std::to_string(bits) + ' ';
        for (const auto& [character, bits] : decoded[i].format)
            decoded_format += character + std::to_string(bits) + ' ';
        found.compare("format", format, decoded_format);
        std::string shape;
        std::string decoded_shape;
        for (const std::int64_t size : expected[i].shape) shape += std::to_string(size) + ' ';
        for (const std::int64_t size : decoded[i].shape) decoded_shape += std::to_string(size) + ' ';
        found.compare("shape", shape, decoded_shape);
    }
    return found.first();
}

}  // namespace verbcast::test
