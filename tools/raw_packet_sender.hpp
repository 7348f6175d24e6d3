// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/raw_sender.hpp>

#include "packet_sink.hpp"

namespace verbcast::tools {

/// Sends packets through a queue of the NIC.
class raw_packet_sender final : public packet_sink {
public:
    explicit raw_packet_sender(const raw_sender_config& config) : sender_(config) {}

    void add(std::size_t group, const outgoing_packet& packet) override {
        sender_.add(group, packet.header, packet.payload);
        ++packets_added_;
        bytes_added_ += packet.header.size() + packet.payload.size();
    }
    void flush() override { sender_.flush(); }

    std::uint64_t packets_added() const noexcept override { return packets_added_; }
    std::uint64_t bytes_added() const noexcept override { return bytes_added_; }
    std::uint64_t refused() const noexcept override { return 0; }
    std::optional<std::size_t> unfragmented_bytes_max(std::size_t) const override { return std::nullopt; }

private:
    raw_sender sender_;
    std::uint64_t packets_added_ = 0;
    std::uint64_t bytes_added_ = 0;
};

}  // namespace verbcast::tools
