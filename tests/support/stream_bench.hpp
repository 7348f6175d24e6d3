// SPDX-License-Identifier: BSD-3-Clause
/// A stream with no thread, no socket and no clock: packets go in on the test's thread, and the heaps that came of them
/// are there when feed() returns.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

#include "support/packet_builder.hpp"

namespace verbcast::test {

/// Adds each element of `datagrams` as a datagram. It never ends: the stream goes on until it is stopped.
class datagram_feeder final : public reader {
public:
    explicit datagram_feeder(std::vector<bytes> datagrams) : datagrams_(std::move(datagrams)) {}

    std::string description() const override { return "test"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context, stream_base::add_packet_handler& batch) override {
        std::vector<datagram> all;
        for (const bytes& each : datagrams_)
            all.push_back({.data = each.data(), .size = static_cast<std::uint32_t>(each.size())});
        batch.add_packets(all);
    }
    void stop() noexcept override {}

private:
    const std::vector<bytes> datagrams_;
};

class stream_bench {
public:
    explicit stream_bench(const stream_config& config = {})
        : stream_(
              context_, [this](heap_ref heap) { heaps.push_back(std::move(heap)); }, config) {}

    /// Takes the datagrams in one batch.
    void feed(std::vector<bytes> datagrams) {
        stream_.add_reader(std::make_unique<datagram_feeder>(std::move(datagrams)));
        context_.restart();
        context_.poll();  // the reader never ends, and run() would wait for it
    }
    void feed(const std::vector<wire_packet>& packets) { feed(encode(packets)); }
    /// Ends as the network would: the live heaps are flushed.
    void feed_stop() { feed({stop_packet(~std::uint64_t{0} >> 16)}); }

    std::vector<std::uint64_t> cnts() const {
        std::vector<std::uint64_t> all;
        for (const heap_ref& each : heaps) all.push_back(each->cnt());
        return all;
    }
    std::uint64_t rejected(reject_reason reason) const { return stats().account.rejected[reason]; }
    stream_stats stats() const { return stream_.stats(); }
    verbcast::stream& stream() noexcept { return stream_; }

    std::vector<heap_ref> heaps;  ///< delivered so far

private:
    boost::asio::io_context context_;
    verbcast::stream stream_;
};

}  // namespace verbcast::test
