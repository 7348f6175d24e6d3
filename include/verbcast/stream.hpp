// SPDX-License-Identifier: BSD-3-Clause
/// Streams: readers feed packets in, heaps come out.
///
/// A stream owns its readers, its live heaps and its sink. It can be stopped from any thread and destroyed at any
/// instant, under full load, without a call to stop(). Streams cannot be derived from: what the user wants done with a
/// heap comes in as a sink, which the stream owns and destroys after the last call into it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/account.hpp>
#include <verbcast/api.hpp>
#include <verbcast/descriptor.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/packet.hpp>
#include <verbcast/placement.hpp>
#include <verbcast/stop_reason.hpp>
#include <verbcast/thread_pool.hpp>
#include <verbcast/units.hpp>

namespace verbcast {

class heap_outlet;
class reader;
class shared_state;
class stream_core;
struct ibv_reader_config;
struct memory_reader_config;
struct pcap_reader_config;
struct udp_reader_config;

/// Takes the heaps of a stream. Calls come one at a time, on the threads that run the stream's readers, under the
/// stream's lock: a slow sink holds up reception and stop(). An exception stops the stream with it as the reason.
class VERBCAST_API heap_sink {
public:
    virtual ~heap_sink() = default;

    virtual void accept(heap_ref heap) = 0;
    /// The last call. After it the sink is only destroyed, by the thread that destroys the stream.
    virtual void stopped(const stop_reason&) noexcept {}
};

/// A packet that was accepted, and where in its heap its payload belongs.
struct payload_placement {
    const packet& source;
    std::span<std::byte> destination;     ///< as long as source.payload
    std::span<std::uint64_t> statistics;  ///< this batch's part of stream_config::statistics
};

/// Puts the payload of a packet where it belongs, in the place of a plain copy: to reorder, convert or inspect it on
/// the way. Called for each accepted packet, under the stream's lock. An exception stops the stream.
using payload_placer = std::function<void(const payload_placement&)>;

/// A statistic of the user's, kept by a payload_placer and shown in stream_stats::custom.
struct custom_statistic {
    enum class merge : std::uint8_t { sum, maximum };
    std::string name = {};
    merge how = merge::sum;
};

/// Something rare that an operator wants to know of.
struct stream_event {
    enum class kind : std::uint8_t { group_idle, group_resumed, reader_ended, warning };
    kind what = kind::warning;
    std::string text = {};  ///< one line for a person
};

struct stream_config {
    /// Heaps that are being built at the same time in each substream. A heap that is unfinished when this many newer
    /// ones have started is given up. More costs memory (a heap each) and patience: losses show later.
    std::size_t heaps_live_max = 4;
    /// Heaps belong to substream (cnt mod substreams), each with live heaps of its own: for senders that interleave.
    std::size_t substreams = 1;
    /// Take the packets of a heap in any order. Off: each must continue where the last one ended.
    bool out_of_order = false;
    /// Take heaps without HEAP_LENGTH. Their end is known only when they are evicted or flushed.
    bool allow_unsized = true;
    /// A STREAM_CTRL item that says stop ends the stream.
    bool stop_on_stop_item = true;
    /// For descriptors of old PySPEAD senders.
    compatibility compat = compatibility::none;

    /// Bounds on what the network can make us do. A packet beyond one is rejected, and counted under its name.
    std::uint64_t heap_bytes_max = 1_GiB;   ///< what one heap may claim
    std::uint64_t live_bytes_max = 4_GiB;   ///< payload memory of all live heaps together
    std::size_t heap_pointers_max = 65536;  ///< item pointers of one heap
    std::size_t heap_ranges_max = 65536;    ///< pieces of one heap in out-of-order mode

    /// Readers receive nothing until start().
    bool explicit_start = false;
    /// Stop when the first reader ends, rather than the last.
    bool stop_on_first_end = false;

    /// Where payloads live. Null: a pool of the stream's that keeps memory of finished heaps for the next ones.
    /// Called by the threads that run readers and by those that drop heaps; must be thread-safe.
    std::shared_ptr<std::pmr::memory_resource> memory = {};
    /// Where that pool's memory lies. Unset: as the thread_pool's placement says, or where it comes to lie. Threads are
    /// the thread_pool's to place; this is for streams on an io_context of the user's.
    std::optional<placement> place = {};
    /// Null: payloads are copied.
    payload_placer place_payload = {};
    std::vector<custom_statistic> statistics = {};

    /// Deliver a partial heap that got no packet for this long as incomplete.
    std::optional<std::chrono::milliseconds> heap_age_max = {};
    /// Report a group from which nothing came for this long, as an event and a counter.
    std::optional<std::chrono::milliseconds> idle_after = {};
    /// Called under the stream's lock. Rare.
    std::function<void(const stream_event&)> on_event = {};

    /// Throws config_error, naming the field, the value and what is allowed.
    VERBCAST_API void validate() const;
};

/// What all streams can do. Any thread may call any member, unless it says otherwise; the object itself must not be
/// destroyed while another thread is in a call on it.
class VERBCAST_API stream_base {
public:
    /// The scope in which a reader adds a batch of packets: <verbcast/add_packet_handler.hpp>.
    class add_packet_handler;

    stream_base(const stream_base&) = delete;
    stream_base& operator=(const stream_base&) = delete;

    /// Opens the reader and gives it to the stream. Throws config_error or std::system_error when it cannot be opened:
    /// the stream is then as it was. Returns false when the stream had stopped already.
    bool add_reader(const memory_reader_config& config);
    bool add_reader(const pcap_reader_config& config);
    bool add_reader(const udp_reader_config& config);
    bool add_reader(const ibv_reader_config& config);
    /// A reader of the user's: <verbcast/reader.hpp>.
    bool add_reader(std::unique_ptr<reader> reader);

    /// Lets readers receive that were added under explicit_start. Opens them: throws what add_reader() throws, and then
    /// none of them receives. All are there before the first one receives, so the stream does not end with it.
    void start();

    /// Ends reception. Any thread, any number of times.
    /// From outside callbacks: once it has returned, no callback runs or will run; it waits for at most 64 packets and
    /// the callbacks they cause. From inside a callback of any stream it only marks this one, which then stops as soon
    /// as nobody is in its lock.
    /// Live heaps are dropped and counted. Heaps already in a ring can still be popped.
    void stop() noexcept;

    /// Waits until every reader has left its groups and counted what came after the stop; false when that took longer.
    /// Then the account is final. Only after the stream has stopped; returns false at once when it has not.
    bool wait_released(std::chrono::steady_clock::time_point deadline);

    /// A snapshot as of the last finished batch.
    stream_stats stats() const;
    /// A snapshot: why the stream stopped, or that it is running.
    stop_reason reason() const;

    boost::asio::io_context& context() const noexcept;
    /// Where the stream's threads run, if they are a thread_pool's, and where its memory lies.
    const placement_report& placed() const noexcept;

private:
    // Private, with these two as friends: nobody else can derive from it.
    friend class stream;
    friend class ring_stream;

    stream_base(io_context_ref context, const stream_config& config, std::unique_ptr<heap_outlet> outlet);
    /// Stops the stream if it is running, waits for what its readers have under way, and destroys them.
    /// Not from within a callback of this or any stream: that is an assertion.
    ~stream_base();

    std::shared_ptr<shared_state> state_;
    std::unique_ptr<stream_core> core_;
};

/// A stream that hands each heap to a sink as soon as it is finished, on the thread that received it.
class VERBCAST_API stream final : public stream_base {
public:
    stream(io_context_ref context, std::unique_ptr<heap_sink> sink, const stream_config& config = {});
    /// The sink is a callable.
    stream(io_context_ref context, std::function<void(heap_ref)> sink, const stream_config& config = {});
};

}  // namespace verbcast
