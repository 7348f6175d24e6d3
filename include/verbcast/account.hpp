// SPDX-License-Identifier: BSD-3-Clause
/// The account of every packet.
///
///     received = rejected + ignored + stop_heap + live + in_ring + delivered + dropped
///
/// in packets, at the end of every batch. `live` and `in_ring` are gauges, all else only grows. What the kernel or the
/// NIC lost never reached verbcast: it stands beside the account, in its own unit, absent where nobody counts it.
///
/// All types here are plain values: snapshots, owned by whoever holds them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <verbcast/api.hpp>

namespace verbcast {

/// Why a packet was refused. The first group is found while decoding, the second when it is added to its heap.
/// Rules: SPEAD-64-XX version 4.
enum class reject_reason : std::uint8_t {
    too_short,           ///< fewer than the 8 bytes of a header
    bad_magic,           ///< does not begin with 0x53, version 4
    bad_widths,          ///< item-id and heap-address widths are zero or do not add up to 8
    pointers_cut,        ///< the item pointers reach past the packet
    special_missing,     ///< HEAP_CNT, PAYLOAD_OFFSET or PAYLOAD_LENGTH is not there as an immediate
    payload_cut,         ///< PAYLOAD_LENGTH reaches past the packet
    beyond_heap_length,  ///< the payload ends after HEAP_LENGTH
    trailing_bytes,      ///< the datagram is longer than the packet in it

    unsized,            ///< no HEAP_LENGTH, and unsized heaps are not allowed
    length_differs,     ///< HEAP_LENGTH is not the one the heap has
    length_too_small,   ///< HEAP_LENGTH is less than what the heap already has
    widths_differ,      ///< the heap-address width is not the one the heap has
    start_missing,      ///< in-order mode: the heap is not live and this is not its first byte
    out_of_sequence,    ///< in-order mode: does not continue where the heap's last packet ended
    duplicate,          ///< every byte of it was received before
    overlap,            ///< some bytes of it were received before
    heap_too_large,     ///< the heap would claim more than heap_bytes_max
    live_bytes_full,    ///< the live heaps would hold more than live_bytes_max
    too_many_pointers,  ///< the heap would have more than heap_pointers_max item pointers
    too_many_ranges,    ///< the heap's received bytes would be in more than heap_ranges_max pieces
};
inline constexpr std::size_t reject_reason_count = 20;

/// Why something that arrived was not taken for a packet of this stream.
enum class ignore_reason : std::uint8_t {
    empty,         ///< a datagram without a byte
    after_stop,    ///< arrived after the stream's stop, or behind the stop item in its batch
    frame_cut,     ///< a captured frame that the snap length cut
    not_ip,        ///< a frame that is neither IPv4 nor IPv6
    not_udp,       ///< an IP packet of another protocol
    fragment,      ///< a piece of a fragmented IP packet
    bad_frame,     ///< headers whose lengths contradict one another
    not_ours,      ///< a datagram for another group or port
    bad_checksum,  ///< the UDP or IP checksum is wrong
    too_long,      ///< a frame that no receive buffer of the NIC has room for
};
inline constexpr std::size_t ignore_reason_count = 10;

/// The reason's name in JSON and on the terminal: the enumerator's. Static storage.
VERBCAST_API std::string_view name(reject_reason reason) noexcept;
VERBCAST_API std::string_view name(ignore_reason reason) noexcept;

/// Counters indexed by an enum of reasons.
template <class Reason, std::size_t Count>
class reason_counts {
public:
    static constexpr std::size_t size = Count;

    std::uint64_t& operator[](Reason reason) noexcept { return counts_[static_cast<std::size_t>(reason)]; }
    std::uint64_t operator[](Reason reason) const noexcept { return counts_[static_cast<std::size_t>(reason)]; }

    std::uint64_t total() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t count : counts_) sum += count;
        return sum;
    }
    reason_counts& operator+=(const reason_counts& other) noexcept {
        for (std::size_t i = 0; i < Count; ++i) counts_[i] += other.counts_[i];
        return *this;
    }
    friend bool operator==(const reason_counts&, const reason_counts&) = default;

private:
    std::array<std::uint64_t, Count> counts_{};
};
using reject_counts = reason_counts<reject_reason, reject_reason_count>;
using ignore_counts = reason_counts<ignore_reason, ignore_reason_count>;

/// Where every packet of a stream went. Unit: packets.
struct packet_account {
    std::uint64_t received = 0;  ///< all that a reader was handed
    ignore_counts ignored = {};
    reject_counts rejected = {};
    std::uint64_t stop_heap = 0;             ///< carried the stop item in a heap of their own
    std::uint64_t live = 0;                  ///< gauge: in heaps that are being built
    std::uint64_t in_ring = 0;               ///< gauge: in heaps that nobody popped yet
    std::uint64_t delivered_complete = 0;    ///< in complete or contiguous heaps that were popped, or that a sink took
    std::uint64_t delivered_incomplete = 0;  ///< in incomplete heaps that were popped, or that a sink took
    std::uint64_t dropped_ring_full = 0;     ///< in heaps the full ring had no place for, or gave up for newer ones
    std::uint64_t dropped_incomplete = 0;    ///< in incomplete heaps, which were not wanted
    std::uint64_t dropped_user_stop = 0;     ///< in heaps that were live at stop()
    std::uint64_t dropped_error = 0;         ///< in heaps lost to an exception

    /// True when the equation at the top of this file holds.
    VERBCAST_API bool balanced() const noexcept;

    friend bool operator==(const packet_account&, const packet_account&) = default;
};

/// Lost before verbcast saw it. Absent: nobody counts, which is not the same as zero.
struct loss_counts {
    /// Datagram buffers the kernel dropped at the sockets (SO_MEMINFO). A buffer is a datagram, except with GRO, where
    /// it may be many: then this is a lower bound.
    std::optional<std::uint64_t> kernel_buffers;
    /// Frames the NIC dropped for want of a posted receive: the sum over the groups where the NIC counts by rule, else
    /// what its port counts for everybody on this host.
    std::optional<std::uint64_t> nic;
};

/// One multicast group (or unicast destination): received = ignored + rejected + accepted, in packets.
struct group_stats {
    std::string name = {};  ///< "ADDRESS:PORT", IPv6 in brackets
    std::uint64_t received = 0;
    ignore_counts ignored = {};
    reject_counts rejected = {};
    std::uint64_t accepted = 0;
    std::optional<std::uint64_t> kernel_buffers_dropped = {};
    /// Frames that a rule of the NIC matched and that never arrived. A lower bound while traffic flows.
    std::optional<std::uint64_t> nic_frames_dropped = {};
    std::uint64_t idle_periods = 0;  ///< how often nothing came for stream_config::idle_after
};

/// What a NIC counts at one of its ports, since the reader was opened: for all processes of the host together.
struct port_stats {
    struct counter {
        std::string name = {};                    ///< as in the port's hw_counters: "out_of_buffer"
        std::optional<std::uint64_t> count = {};  ///< absent where the NIC does not have it
    };
    std::string name = {};  ///< "mlx5_0 port 1"
    std::vector<counter> counters = {};
};

/// A statistic of the user's, as stream_config::statistics declares it.
struct statistic_value {
    std::string name = {};
    std::uint64_t value = 0;
};

/// A snapshot of a stream's statistics, consistent in itself.
struct stream_stats {
    packet_account account;
    loss_counts lost;
    std::vector<group_stats> groups;

    std::uint64_t heaps = 0;    ///< given to the ring or the sink, incomplete ones too; a complete stop heap is none
    std::uint64_t packets = 0;  ///< decoded, and offered to a heap, which took or rejected them
    std::uint64_t bytes = 0;    ///< payload bytes of accepted packets
    std::uint64_t datagram_bytes = 0;  ///< of all that was not ignored, headers included: what the network carried
    std::uint64_t incomplete_heaps_evicted = 0;  ///< unfinished when heaps_live_max newer ones had started
    std::uint64_t incomplete_heaps_flushed = 0;  ///< unfinished when the stream stopped
    std::uint64_t incomplete_heaps_aged = 0;     ///< unfinished after heap_age_max
    std::uint64_t single_packet_heaps = 0;       ///< whose one packet is the whole payload; a stop heap is one
    /// In-order mode: heaps of which the first packet was lost, so that none of it was taken. Runs of packets of one
    /// heap count once; interleaved heaps may count more than once.
    std::uint64_t heaps_start_missing = 0;
    std::uint64_t heaps_dropped_ring_full = 0;
    std::uint64_t batches = 0;         ///< times the stream's lock was taken to add packets
    std::uint64_t queues_revived = 0;  ///< queues of a NIC that broke down and were brought back

    std::vector<port_stats> ports;

    std::vector<statistic_value> custom;
};

}  // namespace verbcast
