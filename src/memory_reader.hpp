// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>

#include <boost/asio/io_context.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/readers.hpp>

namespace verbcast {

/// Reads packets that follow one another in memory.
class memory_reader final : public reader {
public:
    memory_reader(boost::asio::io_context& context, const memory_reader_config& config)
        : context_(context), config_(config), left_(config_.bytes) {}

    std::string description() const override { return "memory"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override {}

private:
    void read(handler_context context, stream_base::add_packet_handler& batch);

    boost::asio::io_context& context_;
    const memory_reader_config config_;
    std::span<const std::byte> left_;
};

}  // namespace verbcast
