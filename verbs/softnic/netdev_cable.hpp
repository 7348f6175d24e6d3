// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "cable.hpp"
#include "descriptor.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

namespace softnic {

/// What the kernel says of a frame's offloads in front of it: struct virtio_net_hdr, whose own header is not C++.
struct offload_header {
    static constexpr std::uint8_t checksum_open = 1;
    static constexpr std::uint8_t checksum_verified = 2;

    std::uint8_t flags = 0;
    std::uint8_t segmentation = 0;
    std::uint16_t header_bytes = 0;
    std::uint16_t segment_bytes = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(offload_header) == 10);

/// A network interface as the cable, through packet sockets. What offloading has done to a frame is undone: segments
/// are cut, checksums finished, VLAN tags put back, so that the queues see what was on the network.
/// Needs CAP_NET_RAW in the network namespace of the interface.
class netdev_cable final : public cable {
public:
    /// Throws std::system_error.
    explicit netdev_cable(const std::string& interface);
    ~netdev_cable() override = default;

    std::size_t frame_bytes_max() const noexcept override { return frame_bytes_max_; }
    std::size_t transmit(std::span<const outgoing_frame> frames) noexcept override;
    void wait_for_room() noexcept override;

    void listen(bool promiscuous) override;
    void deafen() noexcept override;
    arrivals poll() noexcept override;
    void release(std::size_t frames_taken) noexcept override;
    bool prepare_to_wait() noexcept override { return true; }
    void wait_for_arrivals(std::chrono::milliseconds limit) noexcept override;
    void wake() noexcept override;
    std::uint64_t frames_lost() noexcept override;

    int service_descriptor() const noexcept override { return link_changes_.get(); }
    void serve() noexcept override;
    bool link_up() const noexcept override { return link_up_; }

private:
    static constexpr std::size_t messages_max = 32;
    static constexpr std::size_t tag_room_bytes = 4;  ///< in front of a frame, so that a tag fits in without a copy
    static constexpr std::size_t message_bytes_max = std::size_t{68} << 10;

    struct message {
        offload_header offload;
        std::array<iovec, 2> pieces;
        sockaddr_ll from;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control;
        std::vector<std::byte> storage;
    };

    bool send_one(const outgoing_frame& frame) noexcept;
    void add_arrivals(message& received, std::size_t bytes, const msghdr& header);
    void add_segments(const message& received, std::span<const std::byte> frame);
    std::vector<std::byte>& spare_segment();

    const std::string interface_;
    int index_;
    std::size_t frame_bytes_max_;
    descriptor sender_;
    descriptor receiver_;
    descriptor wake_;
    descriptor link_changes_;
    bool link_up_;
    std::vector<message> messages_;
    std::vector<arrival> batch_;
    std::vector<std::vector<std::byte>> segments_;
    std::size_t segments_used_ = 0;
    std::vector<std::byte> outgoing_;
    std::uint64_t frames_lost_ = 0;
};

}  // namespace softnic
