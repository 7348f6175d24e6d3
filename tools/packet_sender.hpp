// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <verbcast/group.hpp>

#include "packet_sink.hpp"

namespace verbcast::tools {

struct packet_sender_config {
    /// One connected socket each. A group's source is the address its socket is bound to.
    std::vector<group> groups;
    std::string interface = {};  ///< where multicast leaves; empty: where the kernel routes it
    std::string source = {};     ///< address to send from; empty: the kernel's choice
    int hops = 1;                ///< how many routers multicast may pass, plus one
    bool gso = true;             ///< let the kernel cut packets of one size out of one buffer (UDP_SEGMENT)
};

/// Sends packets through sockets of the kernel.
class packet_sender final : public packet_sink {
public:
    /// Throws std::system_error, which names the call, the group and what to do.
    explicit packet_sender(const packet_sender_config& config);
    ~packet_sender() override;
    packet_sender(const packet_sender&) = delete;
    packet_sender& operator=(const packet_sender&) = delete;

    void add(std::size_t group, const outgoing_packet& packet) override;
    /// Waits for room in the kernel's queues.
    void flush() override;

    std::uint64_t packets_added() const noexcept override { return packets_added_; }
    std::uint64_t bytes_added() const noexcept override { return bytes_added_; }
    std::uint64_t refused() const noexcept override { return refused_; }
    /// False when the kernel or the interface cannot, or was not asked to.
    bool gso() const noexcept { return gso_; }
    std::optional<std::size_t> unfragmented_bytes_max(std::size_t group) const override;

private:
    struct queued_packet {
        std::size_t header_at;  // in headers_, which may move while packets are added
        std::size_t header_bytes;
        std::span<const std::byte> payload;

        std::size_t bytes() const noexcept { return header_bytes + payload.size(); }
    };
    struct destination {
        int socket = -1;
        bool ipv6 = false;
        std::string name;
        std::vector<queued_packet> queue;
    };
    class message_batch;

    void flush(destination& to);
    /// What to do about a send that failed: returns when it is worth trying again, throws when it is not.
    void recover(const destination& to, int error, bool was_segmented);
    void close_all() noexcept;

    std::vector<destination> destinations_;
    std::vector<std::byte> headers_;
    bool gso_;
    std::uint64_t packets_added_ = 0;
    std::uint64_t bytes_added_ = 0;
    std::uint64_t refused_ = 0;
    int out_of_buffers_in_a_row_ = 0;
};

}  // namespace verbcast::tools
