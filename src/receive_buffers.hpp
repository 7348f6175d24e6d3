// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <sys/socket.h>

#include <verbcast/add_packet_handler.hpp>

#include "src/binding.hpp"

namespace verbcast {

/// Memory that datagrams are received into. The sockets of a reader share it: it is filled from one of them and emptied
/// before the next.
///
/// Not thread-safe. Nothing is allocated after construction.
class receive_buffers {
public:
    /// Room for datagrams of up to `packet_bytes_max`; longer ones are cut. With `gro` a buffer takes what the kernel
    /// has joined, up to 64 KiB.
    /// With `memory_node` on that NUMA node.
    receive_buffers(std::size_t packet_bytes_max, bool gro, std::optional<int> memory_node);

    struct result {
        std::size_t buffers = 0;
        int error = 0;             ///< the error number of recvmmsg(2), if it is not that nothing was there
        bool more_likely = false;  ///< all buffers were used
    };
    /// Takes what is there, without waiting, into at most `buffers_max` buffers. empty() must hold.
    result receive(int socket, std::uint32_t group, std::size_t buffers_max) noexcept;

    /// The next datagrams, in their order; empty when there are no more.
    std::span<const datagram> front() noexcept;
    /// The first `count` of front() were taken.
    void pop(std::size_t count) noexcept { first_ += count; }
    bool empty() noexcept { return front().empty(); }
    /// Of the datagrams that were received last.
    std::uint32_t group() const noexcept { return group_; }

private:
    static constexpr std::size_t split_max = 256;
    static constexpr std::size_t control_bytes = 128;

    struct control {
        alignas(cmsghdr) std::array<std::byte, control_bytes> bytes;
    };
    /// What is left of a buffer: datagrams of `segment_bytes`, the last of which may be shorter.
    struct joined {
        const std::byte* data = nullptr;
        std::size_t left = 0;
        std::size_t segment_bytes = 0;
        arrival_time arrival{};
    };

    void open_buffer(const mmsghdr& message) noexcept;
    void split() noexcept;

    std::size_t buffer_bytes_;
    std::size_t packet_bytes_max_;
    bound_pages memory_;
    std::vector<iovec> slices_;
    std::vector<control> controls_;
    std::vector<mmsghdr> messages_;
    std::size_t filled_ = 0;  // messages that recvmmsg wrote
    std::size_t next_ = 0;    // the first of them that was not opened yet
    bool has_current_ = false;
    joined current_;
    std::uint32_t group_ = 0;
    std::array<datagram, split_max> datagrams_;
    std::size_t first_ = 0;
    std::size_t end_ = 0;
};

}  // namespace verbcast
