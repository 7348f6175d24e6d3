// SPDX-License-Identifier: BSD-3-Clause
#include "src/receive_buffers.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include <netinet/in.h>
#include <netinet/udp.h>

namespace verbcast {
namespace {

/// What a call of recvmmsg(2) takes: enough to make its own cost small, and little enough to stay in a core's cache
/// until the payload is copied out.
constexpr std::size_t buffers_joined = 8;
constexpr std::size_t buffers_plain = 64;
constexpr std::size_t joined_bytes_max = 65536;

constexpr std::size_t count_of(bool gro) { return gro ? buffers_joined : buffers_plain; }
/// Each begins on a cache line.
constexpr std::size_t stride_of(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

receive_buffers::receive_buffers(std::size_t packet_bytes_max, bool gro, std::optional<int> memory_node)
    : buffer_bytes_(gro ? joined_bytes_max : packet_bytes_max), packet_bytes_max_(packet_bytes_max),
      memory_(count_of(gro) * stride_of(buffer_bytes_), memory_node) {
    const std::size_t count = count_of(gro);
    const std::size_t stride = stride_of(buffer_bytes_);
    slices_.resize(count);
    controls_.resize(count);
    messages_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        slices_[i] = {memory_.data() + i * stride, buffer_bytes_};
        msghdr& header = messages_[i].msg_hdr;
        header.msg_iov = &slices_[i];
        header.msg_iovlen = 1;
        header.msg_control = controls_[i].bytes.data();
    }
}

receive_buffers::result receive_buffers::receive(int socket, std::uint32_t group, std::size_t buffers_max) noexcept {
    assert(empty());
    const std::size_t count = std::min(buffers_max, messages_.size());
    for (std::size_t i = 0; i < count; ++i) messages_[i].msg_hdr.msg_controllen = control_bytes;
    const int received = ::recvmmsg(socket, messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    if (received < 0) {
        const bool nothing = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        return {.buffers = 0, .error = nothing ? 0 : errno, .more_likely = errno == EINTR};
    }
    group_ = group;
    next_ = 0;
    filled_ = static_cast<std::size_t>(received);
    return {.buffers = filled_, .error = 0, .more_likely = filled_ == count};
}

std::span<const datagram> receive_buffers::front() noexcept {
    if (first_ == end_) split();
    return {datagrams_.data() + first_, end_ - first_};
}

void receive_buffers::open_buffer(const mmsghdr& message) noexcept {
    current_ = {.data = static_cast<const std::byte*>(message.msg_hdr.msg_iov->iov_base),
                .left = message.msg_len,
                .segment_bytes = std::max<std::size_t>(message.msg_len, 1),
                .arrival = {}};
    has_current_ = true;
    // CMSG_NXTHDR wants a header it may write to.
    auto& header = const_cast<msghdr&>(message.msg_hdr);
    for (const cmsghdr* each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, const_cast<cmsghdr*>(each))) {
        if (each->cmsg_level == IPPROTO_UDP && each->cmsg_type == UDP_GRO) {
            int bytes = 0;
            std::memcpy(&bytes, CMSG_DATA(each), sizeof bytes);
            if (bytes > 0) current_.segment_bytes = static_cast<std::size_t>(bytes);
        } else if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
            timespec stamp{};
            std::memcpy(&stamp, CMSG_DATA(each), sizeof stamp);
            current_.arrival = std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec);
        }
    }
}

void receive_buffers::split() noexcept {
    first_ = end_ = 0;
    while (end_ < split_max) {
        if (!has_current_) {
            if (next_ == filled_) return;
            open_buffer(messages_[next_++]);
        }
        const std::size_t bytes = std::min(current_.left, current_.segment_bytes);
        datagrams_[end_++] = {.data = current_.data,
                              .size = static_cast<std::uint32_t>(std::min(bytes, packet_bytes_max_)),
                              .group = group_,
                              .arrival = current_.arrival};
        current_.data += bytes;
        current_.left -= bytes;
        has_current_ = current_.left != 0;
    }
}

}  // namespace verbcast
