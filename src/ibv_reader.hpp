// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/readers.hpp>

#include "src/nic_losses.hpp"
#include "verbs/device_events.hpp"
#include "verbs/frame_queue.hpp"

namespace verbcast {

/// Receives frames straight from a queue of a NIC.
///
/// One handler at a time drains the queue: it waits for the completion channel, or runs all the time when polling.
/// Beside it wait one handler for the device's asynchronous events and one for the clock that tells to look at the
/// NIC's counters. All three run under the stream's lock, and so never at the same time.
class ibv_reader final : public reader {
public:
    ibv_reader(boost::asio::io_context& context, const ibv_reader_config& config);

    std::string description() const override;
    bool lossless() const noexcept override { return false; }
    void open() override;
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override;
    release_result release() noexcept override;

private:
    enum class outcome {
        some,   ///< frames were taken
        empty,  ///< there are none
        full,   ///< the ring has no room: the rest is kept
        ended,  ///< the stream stops, or the reader has ended
    };

    void wait_for_completions(handler_context context);
    void receive(handler_context context, stream_base::add_packet_handler& batch);
    outcome drain(stream_base::add_packet_handler& batch);
    outcome take_batch(stream_base::add_packet_handler& batch);
    void sort(stream_base::add_packet_handler& batch);
    void sort_failed(stream_base::add_packet_handler& batch, verbs::slot_status status);
    void go_on(handler_context context, stream_base::add_packet_handler& batch, outcome last);
    bool revive(stream_base::add_packet_handler& batch);

    void wait_for_events(handler_context context);
    void handle_events(stream_base::add_packet_handler& batch);
    void handle_event(stream_base::add_packet_handler& batch, const verbs::device_event& event);

    void wait_for_clock(handler_context context);

    void warn_of_small_buffer(stream_base::add_packet_handler& batch) const;
    void fail(stream_base::add_packet_handler& batch, int error, std::string_view call);
    void lose_device(stream_base::add_packet_handler& batch, int error, const std::string& why);
    bool polls() const noexcept { return queue_->descriptor() < 0; }
    std::uint32_t group_of(std::uint32_t rule) const noexcept;
    void settle() noexcept;
    void drain_left() noexcept;
    void count_left(const verbs::completion& each) noexcept;

    bool takes_datagrams() const noexcept { return config_.transport == ibv_reader_config::queue_transport::ud; }

    boost::asio::io_context& context_;
    const ibv_reader_config config_;

    // Under the stream's lock; release() has them to itself. Destroyed bottom-up.
    std::optional<verbs::frame_queue> queue_;
    std::optional<verbs::device_events> events_;
    std::optional<nic_losses> losses_;
    boost::asio::posix::stream_descriptor completions_;   // a duplicate: the channel closes its own
    boost::asio::posix::stream_descriptor asynchronous_;  // likewise the device
    boost::asio::steady_timer clock_;

    verbs::checksum_check unvouched_ = verbs::checksum_check::skip;  // for frames the NIC does not vouch for
    bool always_verify_ = false;
    clock_source arrival_clock_ = clock_source::none;
    std::vector<std::uint32_t> groups_;   // by rule
    std::vector<std::uint64_t> left_;     // by rule, and one for those without: came and was never added
    std::array<datagram, 64> datagrams_;  // of the slots that are done; those before first_ are the stream's already
    std::size_t first_ = 0;
    std::size_t end_ = 0;
    bool dead_ = false;     // the queue pair broke down
    bool revived_ = false;  // it did before
    bool gone_ = false;     // the device is
    bool started_ = false;
    bool stopped_ = false;
    release_result found_;  // has room before it is needed
};

}  // namespace verbcast
