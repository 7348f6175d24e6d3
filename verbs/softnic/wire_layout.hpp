// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

/// What lies in the memory that the processes on a wire share. Every word here may have been left behind by a process
/// that was killed between two instructions; each is either written by one port only, or by compare and exchange.
///
/// A port owns one ring, which it alone writes and every listening port reads. A frame is copied in once however many
/// ports listen. Port i's progress in port s's ring is `ports[s].read_by[i]`, written by i alone.
///
/// A port holds a POSIX record lock on the byte of the memory file that has its number, which the kernel drops when the
/// process dies: that is how the others know.
namespace softnic::wire_layout {

inline constexpr std::uint64_t magic = 0x31306572697763ULL;
inline constexpr unsigned ports_max = 64;
inline constexpr std::size_t ring_bytes = std::size_t{2} << 20;
inline constexpr std::size_t frame_bytes_max = 9622;
inline constexpr std::size_t record_alignment = 64;

/// How a port listens: a generation, which a new owner of the slot increments, and one of these.
enum listening : std::uint64_t {
    idle = 0,
    active = 1,
    evicted = 2,  ///< stood still for too long with a ring full behind it; it takes part again when it wakes up
    state_mask = 3,
};

struct alignas(64) cursor {
    std::atomic<std::uint64_t> position;
};

struct alignas(64) port_slot {
    // Written by the port itself, except that a sender may evict it.
    std::atomic<std::uint64_t> listening;
    std::atomic<std::uint32_t> doorbell;
    // Written by the port as a sender, except `room_wanted`.
    alignas(64) std::atomic<std::uint64_t> head;  ///< bytes published since the wire exists
    std::atomic<std::uint64_t> frames;            ///< at least the frames published
    std::atomic<std::uint32_t> room_wanted;
    std::array<cursor, ports_max> read_by;
};

struct alignas(4096) header {
    std::atomic<std::uint64_t> magic;
    std::atomic<std::uint64_t> sleepers;    ///< a bit for each port that waits for its doorbell
    std::atomic<std::uint32_t> ports_used;  ///< no slot from here on has ever been taken
    std::array<port_slot, ports_max> ports;
};

/// In front of each frame in a ring.
struct record {
    std::uint32_t frame_bytes;
    std::uint16_t sender;
    std::uint16_t flags;
    std::uint64_t sequence;
};
inline constexpr std::uint16_t flag_keep_from_self = 1;

inline constexpr std::size_t record_bytes(std::size_t frame_bytes) noexcept {
    return (sizeof(record) + frame_bytes + record_alignment - 1) / record_alignment * record_alignment;
}

inline constexpr std::size_t memory_bytes = sizeof(header) + ports_max * ring_bytes;
inline constexpr std::size_t ring_offset(unsigned port) noexcept { return sizeof(header) + port * ring_bytes; }

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(header) % 4096 == 0 && ring_bytes % 4096 == 0);

}  // namespace softnic::wire_layout
