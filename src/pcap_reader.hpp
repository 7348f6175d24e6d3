// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/readers.hpp>
#include <verbcast/stop_reason.hpp>

#include "src/capture_file.hpp"
#include "verbs/frame.hpp"

namespace verbcast {

/// The groups of a stream that the datagrams of a capture belong to, found as they come.
class capture_groups {
public:
    /// A capture of everything that passed a link may have any number of destinations.
    static constexpr std::size_t names_max = 4096;

    /// Of the destination of `frame`; "other" when it is not known, or beyond the bound. Allocates for a new one.
    std::uint32_t find(const verbs::udp_frame& frame, stream_base::add_packet_handler& batch);

private:
    struct destination {
        verbs::ip_address address;
        std::uint16_t port = 0;

        friend bool operator==(const destination&, const destination&) = default;
    };
    struct destination_hash {
        std::size_t operator()(const destination& of) const noexcept;
    };

    std::uint32_t other(stream_base::add_packet_handler& batch);

    std::unordered_map<destination, std::uint32_t, destination_hash> known_;
    destination latest_;
    std::uint32_t latest_group_ = 0;
    std::optional<std::uint32_t> other_;
};

/// Reads the UDP datagrams of a capture file.
class pcap_reader final : public reader {
public:
    pcap_reader(boost::asio::io_context& context, const pcap_reader_config& config);

    std::string description() const override { return "capture " + config_.file; }
    bool lossless() const noexcept override { return true; }
    void open() override { file_.emplace(config_.file, config_.filter); }
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override;

private:
    using time_point = std::chrono::steady_clock::time_point;

    enum class progress { go_on, wait, give_up, end };

    void read(handler_context context, stream_base::add_packet_handler& batch);
    progress read_some(stream_base::add_packet_handler& batch);
    bool fetch(stream_base::add_packet_handler& batch);
    bool is_due();

    boost::asio::io_context& context_;
    const pcap_reader_config config_;
    std::optional<capture_file> file_;
    capture_groups groups_;

    // Under the stream's lock.
    boost::asio::steady_timer timer_;
    std::optional<datagram> next_;  // was read and not added yet
    std::optional<arrival_time> first_arrival_;
    time_point first_added_;
    time_point now_;
    stop_reason ended_;
    bool stopped_ = false;
};

}  // namespace verbcast
