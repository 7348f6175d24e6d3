// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/readers.hpp>

#include "src/receive_buffers.hpp"
#include "src/udp_socket.hpp"

namespace verbcast {

/// Receives datagrams through sockets of the kernel.
class udp_reader final : public reader {
public:
    udp_reader(boost::asio::io_context& context, const udp_reader_config& config, std::optional<int> memory_node = {});

    std::string description() const override;
    bool lossless() const noexcept override { return false; }
    void open() override;
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override;
    release_result release() noexcept override;

private:
    /// A socket, and how Asio waits for it. Asio never owns the descriptor: it is needed after stop(), which Asio's
    /// part does not survive.
    struct endpoint {
        endpoint(udp_socket&& opened, boost::asio::io_context& context)
            : socket(std::move(opened)), readable(context) {}
        ~endpoint() { detach(); }
        endpoint(endpoint&&) = default;

        void detach() noexcept;

        udp_socket socket;
        boost::asio::posix::stream_descriptor readable;
        std::uint32_t group = 0;
    };

    void arm(handler_context context, std::size_t index);
    void receive(handler_context context, stream_base::add_packet_handler& batch, std::size_t index);
    bool take(stream_base::add_packet_handler& batch, std::size_t index);
    bool give(stream_base::add_packet_handler& batch, std::size_t& taken);
    void fail(stream_base::add_packet_handler& batch, std::size_t index, int error);
    void warn_of_small_buffers(stream_base::add_packet_handler& batch) const;
    std::uint64_t count_left() noexcept;

    boost::asio::io_context& context_;
    const udp_reader_config config_;
    const clock_source clock_;
    const std::optional<int> memory_node_;

    // Under the stream's lock; release() has them to itself.
    std::optional<receive_buffers> buffers_;
    std::vector<endpoint> endpoints_;
    release_result found_;  // has room before it is needed
    bool started_ = false;
    bool stopped_ = false;
};

}  // namespace verbcast
