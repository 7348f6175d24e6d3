// SPDX-License-Identifier: BSD-3-Clause
/// Where a stream's finished heaps go: a user's sink, or a ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <boost/asio/io_context.hpp>

#include <verbcast/add_packet_handler.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/stop_reason.hpp>

namespace verbcast {

/// All but popped() and wait_for_resumptions() are called under the stream's lock.
class heap_outlet {
public:
    enum class outcome : std::uint8_t { delivered, in_ring, dropped_ring_full, dropped_incomplete };
    struct delivery {
        outcome what = outcome::delivered;
        /// Heaps that made way in the ring: they are dropped, though they had been taken.
        std::uint64_t displaced_heaps = 0;
        std::uint64_t displaced_packets_complete = 0;
        std::uint64_t displaced_packets_incomplete = 0;
    };
    /// Packets in heaps that were popped so far. Any thread.
    struct pops {
        std::uint64_t packets_complete = 0;
        std::uint64_t packets_incomplete = 0;
    };

    virtual ~heap_outlet() = default;

    /// `flushed`: the heap was live when the stream stopped, and the reserve is for it.
    virtual delivery accept(heap_ref heap, bool flushed) = 0;
    /// Whether readers should pause before the next packet.
    virtual bool must_pause() const noexcept { return false; }
    /// A reader was added; `all_lossless` says whether all so far are.
    virtual void readers_changed(bool /*all_lossless*/) noexcept {}
    virtual void park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked) = 0;
    virtual pops popped() const noexcept { return {}; }
    virtual void close(const stop_reason& why) noexcept = 0;
    /// Waits for resumptions that a pop is posting. Outside all locks, after close().
    virtual void wait_for_resumptions() noexcept {}
};

}  // namespace verbcast
