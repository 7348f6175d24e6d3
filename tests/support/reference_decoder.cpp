// SPDX-License-Identifier: BSD-3-Clause
#include "support/reference_decoder.hpp"

#include <algorithm>

namespace reference {
namespace {

std::uint64_t big_endian(const octets& data, std::size_t first, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = first; i < first + count; ++i) value = value * 256 + data.at(i);
    return value;
}

pointer decode_pointer(std::uint64_t raw, unsigned address_bits) {
    std::uint64_t two_to_address_bits = 1;
    for (unsigned i = 0; i < address_bits; ++i) two_to_address_bits *= 2;
    const std::uint64_t two_to_63 = 0x8000000000000000;
    return {.raw = raw,
            .immediate = raw >= two_to_63,
            .id = raw % two_to_63 / two_to_address_bits,
            .value = raw % two_to_address_bits};
}

/// The last immediate with the id wins.
std::optional<std::uint64_t> special(const std::vector<pointer>& pointers, std::uint64_t id) {
    std::optional<std::uint64_t> found;
    for (const pointer& each : pointers)
        if (each.immediate && each.id == id) found = each.value;
    return found;
}

bool stops(const packet& from) {
    for (const pointer& each : from.pointers)
        if (each.immediate && each.id == 6 && each.value == 2) return true;
    return false;
}

std::uint64_t end_of(const packet& from) { return from.payload_offset + from.payload.size(); }

std::uint64_t largest_address(const packet& from) {
    std::uint64_t largest = 0;
    for (const pointer& each : from.pointers)
        if (!each.immediate) largest = std::max(largest, each.value);
    return largest;
}

bool whole_heap(const packet& from) { return from.heap_length && *from.heap_length == from.payload.size(); }

packet refused(const char* why) {
    packet out;
    out.refused = why;
    return out;
}

}  // namespace

packet decode_packet(const octets& data) {
    if (data.size() < 8) return refused("too_short");
    if (data[0] != 0x53 || data[1] != 4) return refused("bad_magic");
    const unsigned item_id_width = data[2];
    const unsigned address_width = data[3];
    if (item_id_width == 0 || address_width == 0 || item_id_width + address_width != 8) return refused("bad_widths");
    const std::size_t count = static_cast<std::size_t>(big_endian(data, 6, 2));
    if (8 + 8 * count > data.size()) return refused("pointers_cut");

    packet out;
    out.address_bits = 8 * address_width;
    for (std::size_t i = 0; i < count; ++i)
        out.pointers.push_back(decode_pointer(big_endian(data, 8 + 8 * i, 8), out.address_bits));
    const auto cnt = special(out.pointers, 1);
    const auto offset = special(out.pointers, 3);
    const auto length = special(out.pointers, 4);
    if (!cnt || !offset || !length) return refused("special_missing");
    if (8 + 8 * count + *length > data.size()) return refused("payload_cut");
    out.heap_cnt = *cnt;
    out.heap_length = special(out.pointers, 2);
    out.payload_offset = *offset;
    if (out.heap_length && *offset + *length > *out.heap_length) return refused("beyond_heap_length");
    out.bytes = static_cast<std::size_t>(8 + 8 * count + *length);
    for (std::size_t i = 8 + 8 * count; i < out.bytes; ++i) out.payload.push_back(data[i]);
    return out;
}

packet decode_datagram(const octets& data) {
    packet out = decode_packet(data);
    if (out.refused.empty() && out.bytes < data.size()) return refused("trailing_bytes");
    return out;
}

live_heap::live_heap(const packet& first) : cnt_(first.heap_cnt), address_bits_(first.address_bits) {}

std::string live_heap::objection(const packet& next, const options& rules) const {
    if (!next.heap_length && !rules.allow_unsized) return "unsized";
    if (next.heap_length && heap_length_ && *next.heap_length != *heap_length_) return "length_differs";
    if (next.heap_length && *next.heap_length < furthest_) return "length_too_small";
    if (next.address_bits != address_bits_) return "widths_differ";
    if (next.heap_length && *next.heap_length > rules.heap_bytes_max) return "heap_too_large";
    if (end_of(next) > rules.heap_bytes_max) return "heap_too_large";
    if (largest_address(next) > rules.heap_bytes_max) return "heap_too_large";
    if (!rules.out_of_order && !order_objection(next).empty()) return order_objection(next);
    if (pointers_with(next).size() > rules.heap_pointers_max) return "too_many_pointers";
    if (rules.out_of_order) return range_objection(next, rules.heap_ranges_max);
    return "";
}

/// In-order mode: each packet must continue where the last ended.
std::string live_heap::order_objection(const packet& next) const {
    if (next.payload_offset == payload_end_) return "";
    if (packets_ == 0) return "start_missing";
    if (next.payload_offset > payload_end_) return "out_of_sequence";
    return end_of(next) <= payload_end_ ? "duplicate" : "overlap";
}

std::string live_heap::range_objection(const packet& next, std::size_t ranges_max) const {
    for (const auto& [first, end] : ranges_)
        if (first <= next.payload_offset && next.payload_offset < end)
            return end_of(next) <= end ? "duplicate" : "overlap";
    for (const auto& [first, end] : ranges_)
        if (next.payload_offset < first && first < end_of(next)) return "overlap";
    if (ranges_with(next).size() > ranges_max) return "too_many_ranges";
    return "";
}

/// Ids 0 and > 4; duplicates by the whole 64-bit pointer are dropped.
std::vector<pointer> live_heap::pointers_with(const packet& next) const {
    std::vector<pointer> all = pointers_;
    for (const pointer& each : next.pointers) {
        const bool known = std::any_of(all.begin(), all.end(), [&](const pointer& one) { return one.raw == each.raw; });
        if ((each.id == 0 || each.id > 4) && !known) all.push_back(each);
    }
    return all;
}

/// Neighbours merge.
std::vector<live_heap::range> live_heap::ranges_with(const packet& next) const {
    std::vector<range> sorted = ranges_;
    sorted.emplace_back(next.payload_offset, end_of(next));
    std::sort(sorted.begin(), sorted.end());
    std::vector<range> merged;
    for (const range& each : sorted) {
        if (!merged.empty() && merged.back().second == each.first)
            merged.back().second = each.second;
        else
            merged.push_back(each);
    }
    return merged;
}

void live_heap::add(const packet& next) {
    pointers_ = pointers_with(next);
    ranges_ = ranges_with(next);
    for (std::size_t i = 0; i < next.payload.size(); ++i) received_[next.payload_offset + i] = next.payload[i];
    if (next.heap_length) heap_length_ = next.heap_length;
    furthest_ = std::max({furthest_, end_of(next), largest_address(next)});
    payload_end_ = std::max(payload_end_, end_of(next));
    ++packets_;
}

/// The largest of item address, HEAP_LENGTH when known, and payload end.
std::uint64_t live_heap::extent() const { return std::max(furthest_, heap_length_.value_or(0)); }

std::string live_heap::status() const {
    if (heap_length_ && received_.size() == *heap_length_ && furthest_ <= *heap_length_) return "complete";
    return received_.size() == extent() ? "contiguous" : "incomplete";
}

std::vector<item> live_heap::items() const {
    std::vector<pointer> addressed;
    std::vector<pointer> immediates;
    for (const pointer& each : pointers_) (each.immediate ? immediates : addressed).push_back(each);
    const auto by_value = [](const pointer& a, const pointer& b) { return a.value < b.value; };
    std::stable_sort(addressed.begin(), addressed.end(), by_value);
    std::stable_sort(immediates.begin(), immediates.end(), by_value);

    std::vector<item> out;
    if (status() == "incomplete") addressed.clear();
    for (std::size_t i = 0; i < addressed.size(); ++i) {
        const std::uint64_t end = i + 1 < addressed.size() ? addressed[i + 1].value : payload_end_;
        item next{.id = addressed[i].id, .bytes = {}};
        for (std::uint64_t at = addressed[i].value; at < end; ++at) next.bytes.push_back(received_.at(at));
        next.length = next.bytes.size();
        if (next.id != 0 && next.length > 0) out.push_back(next);
    }
    for (const pointer& each : immediates)
        if (each.id != 0)
            out.push_back(
                {.id = each.id, .immediate = true, .value = each.value, .bytes = {}, .length = address_bits_ / 8});
    return out;
}

heap live_heap::finish() const {
    heap out{.cnt = cnt_,
             .status = status(),
             .address_bits = address_bits_,
             .heap_length = heap_length_,
             .received = received_.size(),
             .ranges = {},
             .range_bytes = {},
             .items = items(),
             .packets = packets_};
    for (const range& each : ranges_) {
        if (each.first == each.second) continue;
        out.ranges.push_back(each);
        out.range_bytes.emplace_back();
        for (std::uint64_t at = each.first; at < each.second; ++at) out.range_bytes.back().push_back(received_.at(at));
    }
    return out;
}

void stream::add_datagram(const octets& datagram) {
    ++received;
    if (stopping_) {
        ++ignored_after_stop;
        return;
    }
    if (datagram.empty()) {
        ++ignored_empty;
        return;
    }
    take(decode_datagram(datagram));
}

std::size_t stream::add_packet(const octets& data) {
    ++received;
    const packet next = decode_packet(data);
    take(next);
    return next.refused.empty() ? next.bytes : data.size();
}

stream::substream& stream::substream_of(std::uint64_t cnt) {
    substream& found = substreams_[cnt % rules_.substreams];
    found.places.resize(rules_.max_heaps);
    return found;
}

/// A packet that is a whole heap is delivered with no look-up. The newest heap of the cnt is found first.
std::optional<live_heap>* stream::look_up(substream& in, const packet& next) {
    if (whole_heap(next)) return nullptr;
    for (std::size_t i = in.places.size(); i-- > 0;)
        if (in.places[i] && in.places[i]->cnt() == next.heap_cnt) return &in.places[i];
    return nullptr;
}

void stream::take(const packet& next) {
    if (!next.refused.empty()) return count_rejected(next.refused);
    ++decoded;
    substream& in = substream_of(next.heap_cnt);
    std::optional<live_heap>* place = look_up(in, next);
    const std::string why = (place ? **place : live_heap(next)).objection(next, rules_);
    if (!why.empty()) return count_rejected(why);
    if (!place) {
        // The next slot of the window: the unfinished heap that is there is delivered before the new one starts.
        if (in.places.front()) {
            delivered.push_back(in.places.front()->finish());
            ++evicted_heaps;
        }
        in.places.erase(in.places.begin());
        in.places.push_back(live_heap(next));
        place = &in.places.back();
    }
    (*place)->add(next);
    payload_bytes += next.payload.size();
    if (whole_heap(next)) ++single_packet_heaps;
    if (rules_.stop_on_stop_item && stops(next)) stopping_ = true;
    finish_if_complete(*place, next);
}

void stream::finish_if_complete(std::optional<live_heap>& place, const packet& last) {
    if (place->status() != "complete") return;
    const bool swallowed = rules_.stop_on_stop_item && stops(last);
    if (swallowed)
        stop_heap_packets += place->packets();
    else
        delivered.push_back(place->finish());
    place.reset();
}

void stream::end_batch() {
    if (stopping_) flush();
}

void stream::flush() {
    for (auto& [index, each] : substreams_) {
        for (std::optional<live_heap>& place : each.places) {
            if (!place) continue;
            delivered.push_back(place->finish());
            ++flushed_heaps;
            place.reset();
        }
    }
}

void stream::drop() {
    for (auto& [index, each] : substreams_) {
        for (std::optional<live_heap>& place : each.places) {
            if (!place) continue;
            dropped_packets += place->packets();
            ++flushed_heaps;
            place.reset();
        }
    }
}

std::uint64_t stream::live_packets() const {
    std::uint64_t packets = 0;
    for (const auto& [index, each] : substreams_)
        for (const std::optional<live_heap>& place : each.places)
            if (place) packets += place->packets();
    return packets;
}

namespace {

/// The bytes of an item; an immediate's stand right-aligned in those of a heap address.
octets bytes_of(const item& one) {
    if (!one.immediate) return one.bytes;
    octets bytes;
    for (std::uint64_t i = one.length; i-- > 0;) bytes.push_back(static_cast<std::uint8_t>(one.value >> (8 * i)));
    return bytes;
}

using records = std::vector<std::pair<std::uint8_t, std::uint64_t>>;

/// One byte and an integer each. Trailing partial records are ignored.
records decode_records(const octets& bytes, std::size_t integer_bytes) {
    records out;
    for (std::size_t at = 0; at + 1 + integer_bytes <= bytes.size(); at += 1 + integer_bytes)
        out.emplace_back(bytes[at], big_endian(bytes, at + 1, integer_bytes));
    return out;
}

descriptor descriptor_of(const heap& from, unsigned compatibility_mask) {
    const std::size_t address_bytes = from.address_bits / 8;
    const bool old_widths = compatibility_mask % 2 == 1;
    const unsigned variable_flag = compatibility_mask / 2 % 2 == 1 ? 2 : 1;
    descriptor out;
    for (const item& one : from.items) {
        const octets bytes = bytes_of(one);
        const std::string text(bytes.begin(), bytes.end());
        if (one.id == 0x14 && one.immediate) out.id = one.value;
        if (one.id == 0x10) out.name = text;
        if (one.id == 0x11) out.description = text;
        if (one.id == 0x15) out.numpy_header = text;
        if (one.id == 0x13) {
            out.format.clear();
            for (const auto& [character, bits] : decode_records(bytes, old_widths ? 3 : 8 - address_bytes))
                out.format.emplace_back(static_cast<char>(character), bits);
        }
        if (one.id == 0x12) {
            out.shape.clear();
            for (const auto& [flags, size] : decode_records(bytes, old_widths ? 7 : address_bytes))
                out.shape.push_back(flags & variable_flag ? -1 : static_cast<std::int64_t>(size));
        }
    }
    return out;
}

}  // namespace

/// A stream of packets with one live heap. What claims to be longer than the item itself is refused.
std::vector<descriptor> decode_descriptors(const octets& data, unsigned compatibility_mask) {
    stream packets({.max_heaps = 1, .stop_on_stop_item = false, .heap_bytes_max = data.size()});
    for (octets rest = data; !rest.empty();) {
        const std::size_t taken = packets.add_packet(rest);
        rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    packets.flush();

    std::vector<descriptor> found;
    for (const heap& each : packets.delivered) {
        if (each.status == "incomplete") continue;
        const descriptor next = descriptor_of(each, compatibility_mask);
        if (next.id != 0) found.push_back(next);
    }
    return found;
}

}  // namespace reference
