// SPDX-License-Identifier: BSD-3-Clause
/// How a reader gives packets to its stream: one batch, under one lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include <verbcast/api.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/stream.hpp>

namespace verbcast {

/// The counted reference by which a pending operation finds its stream again, if there still is one. Move-only, used
/// once: the handler it is bound into passes it on to the next operation, or drops it.
class VERBCAST_API handler_context {
public:
    explicit handler_context(std::shared_ptr<shared_state> state) noexcept : state_(std::move(state)) {}
    handler_context(handler_context&&) noexcept = default;
    handler_context& operator=(handler_context&&) noexcept = default;

    const std::shared_ptr<shared_state>& state() const noexcept { return state_; }

private:
    std::shared_ptr<shared_state> state_;
};

/// What came from the network, or from whatever stands for it. Points into the reader's memory.
struct datagram {
    const std::byte* data = nullptr;
    std::uint32_t size = 0;
    std::uint32_t group = 0;  ///< an index that add_group() gave
    arrival_time arrival{};   ///< zero when nobody took the time
};

/// What a reader that waits for room in a ring does next. Whoever makes room posts it to the reader's executor.
class VERBCAST_API parked_handler {
public:
    virtual ~parked_handler() = default;
    virtual void run() = 0;
};

/// One batch. Constructing it locks the stream; destroying it ends the batch: live heaps are flushed when the stream
/// stops, statistics are merged, the lock is given back. Lives on the stack of one thread.
class VERBCAST_API stream_base::add_packet_handler {
public:
    explicit add_packet_handler(shared_state& state);
    ~add_packet_handler();
    add_packet_handler(const add_packet_handler&) = delete;
    add_packet_handler& operator=(const add_packet_handler&) = delete;

    /// False when the stream has stopped or someone is waiting to stop it: then give up at once.
    explicit operator bool() const noexcept { return core_ != nullptr; }

    /// Takes datagrams one by one, each with one SPEAD packet, and returns how many it took. Fewer than all: either
    /// stopping(), then drop the rest, or must_pause(), then keep it and pause().
    std::size_t add_packets(std::span<const datagram> datagrams, clock_source clock = clock_source::none);
    /// Takes the packet at the front of `bytes`, behind which others may follow; returns its length, or the length of
    /// `bytes` when what is there is not a packet. 0 when it was not taken: see add_packets().
    std::size_t add_packet(std::span<const std::byte> bytes, std::uint32_t group);
    /// Counts something that arrived and was not a packet of this stream.
    void ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count = 1) noexcept;

    /// The stream stops with the end of this batch, or wants to.
    bool stopping() const noexcept;
    /// The ring is full and its policy is `wait`.
    bool must_pause() const noexcept;
    /// Parks the reader: `function` is run like any bound handler when there is room again. Do not re-arm after it.
    template <class Function>
    void pause(handler_context&& context, boost::asio::io_context& executor, Function&& function);

    /// The index of the group "ADDRESS:PORT" in this stream, the same for the same name. May allocate.
    std::uint32_t add_group(std::string_view name);
    /// The kernel dropped this many more buffers of a group. 0 says that somebody counts them.
    void add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept;
    /// The NIC dropped this many more frames of a group. 0 says that somebody counts them.
    void add_nic_drops(std::uint32_t group, std::uint64_t frames) noexcept;
    /// What a NIC's port counts by now, in the place of what it counted before.
    void set_port(const port_stats& now);
    /// A queue of the NIC broke down, and was brought back.
    void count_revival() noexcept;

    /// `ended` has come to its end and does not re-arm. The stream stops with its last reader, or with the first under
    /// stop_on_first_end.
    void end_reader(const reader& ended, stop_reason why);
    /// Stops the stream with the error at the end of this batch.
    void fail(std::exception_ptr error) noexcept;
    /// Reports something rare to stream_config::on_event.
    void warn(std::string_view text);

private:
    void park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked);

    shared_state& state_;
    stream_core* core_ = nullptr;  // null: gave up, nothing is locked
};

}  // namespace verbcast
