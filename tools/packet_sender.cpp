// SPDX-License-Identifier: BSD-3-Clause
#include "packet_sender.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "destination_socket.hpp"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace verbcast::tools {
namespace {

constexpr std::size_t segments_max = 64;            // UDP_MAX_SEGMENTS of kernels before 6.9
constexpr std::size_t segmented_bytes_max = 65487;  // an IPv6 packet's 65535 less its headers
constexpr std::size_t messages_max = 256;           // a sendmmsg()

const char* advice(int error) {
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH: return ": no route; name an interface with --interface";
    case ENETDOWN: return ": the interface is down";
    case EMSGSIZE: return ": longer than can be sent; lower --packet";
    case EPERM: return ": a firewall on this host forbids it";
    case EACCES: return ": a broadcast address, or forbidden";
    case ENOBUFS: return ": the interface's queue stays full; lower --rate";
    default: return "";
    }
}

}  // namespace

/// The messages of one sendmmsg(): runs of packets of one size, which the kernel cuts apart again, or single packets.
class packet_sender::message_batch {
public:
    /// Takes packets from the front of `queue`.
    message_batch(std::span<const queued_packet> queue, std::byte* headers, bool gso) {
        parts_.reserve(queue.size() * 2);
        while (!queue.empty() && count_ < messages_max) {
            const std::size_t run = gso ? run_length(queue) : 1;
            add_message(queue.first(run), headers);
            queue = queue.subspan(run);
        }
        // The vectors have their final size: addresses into them hold.
        std::size_t part = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            messages_[i].msg_hdr.msg_iov = &parts_[part];
            part += messages_[i].msg_hdr.msg_iovlen;
            if (packets_[i] > 1) put_segment_bytes(i);
        }
    }

    mmsghdr* messages() noexcept { return messages_.data(); }
    unsigned size() const noexcept { return static_cast<unsigned>(count_); }
    std::size_t packets_in(std::size_t messages) const noexcept {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < messages; ++i) sum += packets_[i];
        return sum;
    }
    bool first_is_segmented() const noexcept { return packets_[0] > 1; }

private:
    /// Packets as long as the first, and one shorter behind them.
    static std::size_t run_length(std::span<const queued_packet> queue) noexcept {
        const std::size_t segment = queue.front().bytes();
        std::size_t total = 0;
        std::size_t count = 0;
        while (count < std::min(queue.size(), segments_max)) {
            const std::size_t bytes = queue[count].bytes();
            if (bytes > segment || total + bytes > segmented_bytes_max) break;
            total += bytes;
            ++count;
            if (bytes < segment) break;
        }
        return std::max<std::size_t>(count, 1);
    }

    void add_message(std::span<const queued_packet> run, std::byte* headers) {
        for (const queued_packet& each : run) {
            parts_.push_back({headers + each.header_at, each.header_bytes});
            // sendmmsg() does not write; its iovec just cannot say so.
            parts_.push_back({const_cast<std::byte*>(each.payload.data()), each.payload.size()});
        }
        messages_[count_] = {};
        messages_[count_].msg_hdr.msg_iovlen = run.size() * 2;
        packets_[count_] = run.size();
        segment_bytes_[count_] = static_cast<std::uint16_t>(run.front().bytes());
        ++count_;
    }

    void put_segment_bytes(std::size_t i) noexcept {
        msghdr& header = messages_[i].msg_hdr;
        header.msg_control = controls_[i].bytes;
        header.msg_controllen = sizeof controls_[i].bytes;
        cmsghdr* const control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        std::memcpy(CMSG_DATA(control), &segment_bytes_[i], sizeof(std::uint16_t));
    }

    struct control_space {
        alignas(cmsghdr) std::byte bytes[CMSG_SPACE(sizeof(std::uint16_t))] = {};
    };
    std::vector<iovec> parts_;
    std::array<mmsghdr, messages_max> messages_;
    std::array<control_space, messages_max> controls_;
    std::array<std::size_t, messages_max> packets_{};
    std::array<std::uint16_t, messages_max> segment_bytes_{};
    std::size_t count_ = 0;
};

packet_sender::packet_sender(const packet_sender_config& config) : gso_(config.gso) {
    try {
        for (const group& each : config.groups) {
            destinations_.emplace_back().name = each.name();
            destinations_.back().ipv6 = each.address.find(':') != std::string::npos;
            destinations_.back().socket = open_destination(each, config);
        }
    } catch (...) {
        close_all();
        throw;
    }
}

packet_sender::~packet_sender() { close_all(); }

void packet_sender::close_all() noexcept {
    for (const destination& each : destinations_)
        if (each.socket >= 0) ::close(each.socket);
}

void packet_sender::add(std::size_t group, const outgoing_packet& packet) {
    const queued_packet queued{headers_.size(), packet.header.size(), packet.payload};
    headers_.insert(headers_.end(), packet.header.begin(), packet.header.end());
    destinations_[group].queue.push_back(queued);
    ++packets_added_;
    bytes_added_ += queued.bytes();
}

void packet_sender::flush() {
    for (destination& each : destinations_) flush(each);
    headers_.clear();
}

void packet_sender::flush(destination& to) {
    std::span<const queued_packet> left = to.queue;
    while (!left.empty()) {
        message_batch batch(left, headers_.data(), gso_);
        const int sent = ::sendmmsg(to.socket, batch.messages(), batch.size(), 0);
        if (sent < 0)
            recover(to, errno, batch.first_is_segmented());
        else {
            out_of_buffers_in_a_row_ = 0;
            left = left.subspan(batch.packets_in(static_cast<std::size_t>(sent)));
        }
    }
    to.queue.clear();
}

void packet_sender::recover(const destination& to, int error, bool was_segmented) {
    constexpr std::chrono::microseconds pause{100};
    constexpr int pauses_max = 20'000;
    if (error == EINTR || error == EAGAIN) return;
    if (error == ECONNREFUSED) {  // about an earlier packet; this send did not happen
        ++refused_;
        return;
    }
    if (was_segmented && error != ENOBUFS && error != ENOMEM) {
        // Too long for the interface, without checksum offload, an old kernel: plain sends tell what is really wrong.
        gso_ = false;
        return;
    }
    if (error == ENOBUFS && ++out_of_buffers_in_a_row_ < pauses_max) {
        // The interface's queue is full, and nothing tells when it is not.
        std::this_thread::sleep_for(pause);
        return;
    }
    throw std::system_error(error, std::system_category(), fmt::format("sendmmsg to {}{}", to.name, advice(error)));
}

std::optional<std::size_t> packet_sender::unfragmented_bytes_max(std::size_t group) const {
    const destination& to = destinations_[group];
    int mtu = 0;
    socklen_t length = sizeof mtu;
    const int result = to.ipv6 ? ::getsockopt(to.socket, IPPROTO_IPV6, IPV6_MTU, &mtu, &length)
                               : ::getsockopt(to.socket, IPPROTO_IP, IP_MTU, &mtu, &length);
    const int headers = to.ipv6 ? 48 : 28;
    if (result != 0 || mtu <= headers) return std::nullopt;
    return static_cast<std::size_t>(mtu - headers);
}

}  // namespace verbcast::tools
