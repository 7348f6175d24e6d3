// SPDX-License-Identifier: BSD-3-Clause
/// SPEAD as the protocol is told, sentence by sentence: what the library is compared with. Slow and obvious on purpose,
/// and it shares no line with the library: vectors that are searched from end to end, and a map with each byte
/// received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace reference {

using octets = std::vector<std::uint8_t>;

struct pointer {
    std::uint64_t raw = 0;
    bool immediate = false;
    std::uint64_t id = 0;
    std::uint64_t value = 0;
};

struct packet {
    std::string refused;  ///< why, by the name of the library's reason; empty when it is a packet
    std::uint64_t heap_cnt = 0;
    std::optional<std::uint64_t> heap_length;
    std::uint64_t payload_offset = 0;
    octets payload;
    std::vector<pointer> pointers;
    std::size_t bytes = 0;
    unsigned address_bits = 0;
};

/// The packet at the front of `data`.
packet decode_packet(const octets& data);
/// The packet that is all of `data`.
packet decode_datagram(const octets& data);

struct item {
    std::uint64_t id = 0;
    bool immediate = false;
    std::uint64_t value = 0;
    octets bytes;
    std::uint64_t length = 0;
    friend bool operator==(const item&, const item&) = default;
};

struct heap {
    std::uint64_t cnt = 0;
    std::string status;
    unsigned address_bits = 0;
    std::optional<std::uint64_t> heap_length;
    std::uint64_t received = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    std::vector<octets> range_bytes;
    std::vector<item> items;
    std::uint64_t packets = 0;
    friend bool operator==(const heap&, const heap&) = default;
};

struct options {
    std::size_t max_heaps = 4;
    std::uint64_t substreams = 1;
    bool out_of_order = false;
    bool allow_unsized = true;
    bool stop_on_stop_item = true;
    std::uint64_t heap_bytes_max = std::uint64_t{1} << 30;
    std::size_t heap_pointers_max = 65536;
    std::size_t heap_ranges_max = 65536;
};

/// A heap that is being built.
class live_heap {
public:
    explicit live_heap(const packet& first);

    /// Why the packet cannot be added; empty when it can.
    std::string objection(const packet& next, const options& rules) const;
    void add(const packet& next);

    std::uint64_t cnt() const { return cnt_; }
    std::uint64_t packets() const { return packets_; }
    std::string status() const;
    heap finish() const;

private:
    using range = std::pair<std::uint64_t, std::uint64_t>;

    std::string order_objection(const packet& next) const;
    std::string range_objection(const packet& next, std::size_t ranges_max) const;
    std::vector<pointer> pointers_with(const packet& next) const;
    std::vector<range> ranges_with(const packet& next) const;
    std::uint64_t extent() const;
    std::vector<item> items() const;

    std::uint64_t cnt_;
    unsigned address_bits_;
    std::optional<std::uint64_t> heap_length_;
    std::uint64_t furthest_ = 0;     // item address or payload end
    std::uint64_t payload_end_ = 0;  // furthest
    std::uint64_t packets_ = 0;
    std::vector<pointer> pointers_;
    std::vector<range> ranges_;
    std::map<std::uint64_t, std::uint8_t> received_;
};

/// A stream that delivers its heaps, incomplete ones too, into a vector.
class stream {
public:
    explicit stream(const options& rules) : rules_(rules) {}

    /// One packet of a batch. Behind the one that stops the stream they are ignored.
    void add_datagram(const octets& datagram);
    /// Returns its length, or the length of `data` when there is no packet.
    std::size_t add_packet(const octets& data);
    /// A stop item flushes the live heaps at the end of its batch.
    void end_batch();
    /// Delivers what is live: substream by substream, oldest first.
    void flush();
    /// A user's stop: drops what is live.
    void drop();

    bool stopping() const { return stopping_; }
    std::uint64_t live_packets() const;

    std::vector<heap> delivered;
    std::map<std::string, std::uint64_t> rejected;
    std::uint64_t received = 0;
    std::uint64_t decoded = 0;
    std::uint64_t ignored_empty = 0;
    std::uint64_t ignored_after_stop = 0;
    std::uint64_t stop_heap_packets = 0;
    std::uint64_t dropped_packets = 0;
    std::uint64_t evicted_heaps = 0;
    std::uint64_t flushed_heaps = 0;
    std::uint64_t single_packet_heaps = 0;
    std::uint64_t payload_bytes = 0;  // of accepted packets

private:
    /// One place in a window: a live heap, or none.
    using window = std::vector<std::optional<live_heap>>;
    struct substream {
        window places;  // places[0] is the next to be taken, so the last one is the newest
    };

    void take(const packet& next);
    void count_rejected(const std::string& why) { ++rejected[why]; }
    std::optional<live_heap>* look_up(substream& in, const packet& next);
    void finish_if_complete(std::optional<live_heap>& place, const packet& last);
    substream& substream_of(std::uint64_t cnt);

    options rules_;
    std::map<std::uint64_t, substream> substreams_;
    bool stopping_ = false;
};

/// A descriptor: what the packets in a DESCRIPTOR item say.
struct descriptor {
    std::uint64_t id = 0;
    std::string name;
    std::string description;
    std::vector<std::pair<char, std::uint64_t>> format;
    std::vector<std::int64_t> shape;
    std::string numpy_header;
    friend bool operator==(const descriptor&, const descriptor&) = default;
};
std::vector<descriptor> decode_descriptors(const octets& data, unsigned compatibility_mask);

}  // namespace reference
