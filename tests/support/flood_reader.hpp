// SPDX-License-Identifier: BSD-3-Clause
/// A reader that is never done: the same packets again and again, a batch a handler, as fast as the stream takes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <verbcast/reader.hpp>

#include "support/packet_builder.hpp"

namespace verbcast::test {

class flood_reader final : public reader {
public:
    flood_reader(boost::asio::io_context& context, const std::vector<bytes>& packets, bool lossless = false)
        : context_(context), packets_(packets), lossless_(lossless) {
        for (const bytes& each : packets_)
            datagrams_.push_back({.data = each.data(), .size = static_cast<std::uint32_t>(each.size())});
    }

    std::string description() const override { return "flood"; }
    bool lossless() const noexcept override { return lossless_; }
    void start(handler_context context, stream_base::add_packet_handler& batch) override {
        read(std::move(context), batch);
    }
    void stop() noexcept override {}

private:
    void read(handler_context context, stream_base::add_packet_handler& batch) {
        next_ += batch.add_packets(std::span(datagrams_).subspan(next_));
        if (next_ == datagrams_.size()) next_ = 0;
        if (batch.stopping()) return;
        const auto go_on = [this](handler_context again, stream_base::add_packet_handler& next_batch) {
            read(std::move(again), next_batch);
        };
        if (batch.must_pause())
            batch.pause(std::move(context), context_, go_on);
        else
            boost::asio::post(context_, bind_handler(std::move(context), go_on));
    }

    boost::asio::io_context& context_;
    const std::vector<bytes> packets_;
    const bool lossless_;
    std::vector<datagram> datagrams_;
    std::size_t next_ = 0;
};

/// Some heaps of a few packets each, with one that never ends.
inline std::vector<bytes> flood_packets() {
    std::vector<bytes> all;
    for (std::uint64_t cnt = 1; cnt <= 20; ++cnt)
        for (bytes& each : encode(wire_heap{.cnt = cnt, .values = {{0x1000, pattern(3000, cnt)}}}.split()))
            all.push_back(std::move(each));
    all.push_back(wire_packet{.heap_cnt = 1000, .heap_length = 4096, .payload = pattern(8)}.encode());
    return all;
}

}  // namespace verbcast::test
