// SPDX-License-Identifier: BSD-3-Clause
#include "netdev_cable.hpp"

#include "bytes.hpp"
#include "checksum.hpp"
#include "netdev.hpp"
#include "segmentation.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

namespace softnic {
namespace {

constexpr std::size_t header_bytes_max = 18;  // Ethernet and one tag
constexpr std::size_t addresses_bytes = 12;
constexpr int receive_buffer_bytes = 32 << 20;

[[noreturn]] void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

void set(const descriptor& socket, int level, int option, int value, const char* name) {
    if (::setsockopt(socket.get(), level, option, &value, sizeof value) != 0) fail(name);
}

descriptor packet_socket() {
    // No protocol yet: a socket that is not to receive must not fill its buffer.
    descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) fail("socket(AF_PACKET)");
    set(socket, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
    return socket;
}

/// Readable when an interface has changed.
descriptor link_socket() {
    descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("socket(AF_NETLINK)");
    }
    return socket;
}

void bind_to(const descriptor& socket, int index, std::uint16_t protocol) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = index;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind(AF_PACKET)");
}

std::optional<tpacket_auxdata> auxiliary_data(const msghdr& header) noexcept {
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr;
         each = CMSG_NXTHDR(const_cast<msghdr*>(&header), each)) {
        if (each->cmsg_level != SOL_PACKET || each->cmsg_type != PACKET_AUXDATA) continue;
        tpacket_auxdata data;
        std::memcpy(&data, CMSG_DATA(each), sizeof data);
        return data;
    }
    return std::nullopt;
}

}  // namespace

netdev_cable::netdev_cable(const std::string& interface)
    : interface_(interface), index_(static_cast<int>(::if_nametoindex(interface.c_str()))), sender_(packet_socket()),
      receiver_(packet_socket()), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), link_changes_(link_socket()),
      messages_(messages_max) {
    if (index_ == 0) fail("if_nametoindex");
    if (!wake_) fail("eventfd");
    const netdev state = read_netdev(interface);
    frame_bytes_max_ = state.mtu_bytes + header_bytes_max;
    link_up_ = state.up;
    bind_to(sender_, index_, 0);
    set(receiver_, SOL_PACKET, PACKET_AUXDATA, 1, "PACKET_AUXDATA");
    // What this host sends is not what arrives at its port; on lo it would show every frame twice.
    set(receiver_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    const int wanted = receive_buffer_bytes;
    if (::setsockopt(receiver_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0) {
        set(receiver_, SOL_SOCKET, SO_RCVBUF, wanted, "SO_RCVBUF");  // as far as net.core.rmem_max allows
    }
    for (message& each : messages_) each.storage.resize(tag_room_bytes + message_bytes_max);
}

// --- sending ---

std::size_t netdev_cable::transmit(std::span<const outgoing_frame> frames) noexcept {
    std::size_t sent = 0;
    while (sent < frames.size() && send_one(frames[sent])) ++sent;
    return sent;
}

bool netdev_cable::send_one(const outgoing_frame& frame) noexcept {
    offload_header offload{};
    std::array<iovec, gather_entries_max + 1> pieces;
    pieces[0] = {&offload, sizeof offload};
    std::size_t used = 1;
    if (frame.finish_checksums) {
        outgoing_.clear();
        for (std::uint32_t i = 0; i < frame.pieces_used; ++i) {
            const auto* data = static_cast<const std::byte*>(frame.pieces[i].iov_base);
            outgoing_.insert(outgoing_.end(), data, data + frame.pieces[i].iov_len);
        }
        softnic::finish_checksums(outgoing_);
        pieces[used++] = {outgoing_.data(), outgoing_.size()};
    } else {
        for (std::uint32_t i = 0; i < frame.pieces_used; ++i) pieces[used++] = frame.pieces[i];
    }
    msghdr header{};
    header.msg_iov = pieces.data();
    header.msg_iovlen = used;
    if (::sendmsg(sender_.get(), &header, MSG_DONTWAIT) >= 0) return true;
    // An interface that is down, or a frame it does not take, is a frame lost on the network.
    return errno != EAGAIN && errno != ENOBUFS && errno != EINTR;
}

void netdev_cable::wait_for_room() noexcept {
    // Woken when the socket's buffer has drained; a full queue of the interface gives no event, hence the limit.
    pollfd watched{sender_.get(), POLLOUT, 0};
    ::poll(&watched, 1, 1);
}

// --- receiving ---

void netdev_cable::listen(bool promiscuous) {
    packet_mreq membership{};
    membership.mr_ifindex = index_;
    membership.mr_type = PACKET_MR_PROMISC;
    const int change = promiscuous ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
    // Dropping what was not added fails, and is no harm.
    if (::setsockopt(receiver_.get(), SOL_PACKET, change, &membership, sizeof membership) != 0 && promiscuous) {
        fail("PACKET_ADD_MEMBERSHIP");
    }
    bind_to(receiver_, index_, ETH_P_ALL);
}

void netdev_cable::deafen() noexcept {
    sockaddr_ll nothing{};
    nothing.sll_family = AF_PACKET;
    nothing.sll_ifindex = index_;
    // Protocol 0 unhooks the socket. What it holds was for rules that are gone.
    static_cast<void>(::bind(receiver_.get(), reinterpret_cast<const sockaddr*>(&nothing), sizeof nothing));
    std::byte byte;
    while (::recv(receiver_.get(), &byte, sizeof byte, MSG_DONTWAIT) >= 0) {
    }
}

arrivals netdev_cable::poll() noexcept {
    batch_.clear();
    segments_used_ = 0;
    std::array<mmsghdr, messages_max> headers{};
    for (std::size_t i = 0; i < messages_max; ++i) {
        message& each = messages_[i];
        each.pieces[0] = {&each.offload, sizeof each.offload};
        each.pieces[1] = {each.storage.data() + tag_room_bytes, message_bytes_max};
        msghdr& header = headers[i].msg_hdr;
        header.msg_iov = each.pieces.data();
        header.msg_iovlen = each.pieces.size();
        header.msg_name = &each.from;
        header.msg_namelen = sizeof each.from;
        header.msg_control = each.control.data();
        header.msg_controllen = each.control.size();
    }
    const int received = ::recvmmsg(receiver_.get(), headers.data(), messages_max, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < received; ++i) {
        const std::size_t bytes = headers[static_cast<std::size_t>(i)].msg_len;
        if (bytes <= sizeof(offload_header)) continue;
        add_arrivals(messages_[static_cast<std::size_t>(i)], bytes - sizeof(offload_header),
                     headers[static_cast<std::size_t>(i)].msg_hdr);
    }
    return {.frames = batch_, .intact = nullptr, .intact_value = 0};
}

void netdev_cable::add_arrivals(message& received, std::size_t bytes, const msghdr& header) {
    std::span<std::byte> frame(received.storage.data() + tag_room_bytes, bytes);
    if (frame.size() < addresses_bytes + 2) return;
    const std::optional<tpacket_auxdata> data = auxiliary_data(header);
    std::size_t moved = 0;
    if (data && (data->tp_status & TP_STATUS_VLAN_VALID) != 0) {
        // The kernel took the tag out; the addresses move to the front and it goes back behind them.
        std::byte* start = received.storage.data();
        std::memmove(start, start + tag_room_bytes, addresses_bytes);
        const bool named = (data->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
        store_be16(start + addresses_bytes, named ? data->tp_vlan_tpid : std::uint16_t{ETH_P_8021Q});
        store_be16(start + addresses_bytes + 2, data->tp_vlan_tci);
        frame = {start, bytes + tag_room_bytes};
        moved = tag_room_bytes;
    }
    const offload_header& offload = received.offload;
    if (offload.segmentation != 0) {
        add_segments(received, frame);
        return;
    }
    const bool open = (offload.flags & offload_header::checksum_open) != 0;
    if (open) finish_partial_checksum(frame, offload.checksum_start + moved, offload.checksum_offset);
    const bool good = open || (offload.flags & offload_header::checksum_verified) != 0;
    batch_.push_back({.frame = frame, .checksums_known_good = good, .sequence = 0});
}

void netdev_cable::add_segments(const message& received, std::span<const std::byte> frame) {
    const frame_layers layers = parse_frame(frame);
    const std::size_t header_bytes = layers.payload_offset != 0
                                         ? layers.payload_offset
                                         : std::min<std::size_t>(received.offload.header_bytes, frame.size());
    segmenter cutter(frame, header_bytes, received.offload.segment_bytes);
    while (cutter.next(spare_segment())) {
        std::vector<std::byte>& segment = segments_[segments_used_++];
        softnic::finish_checksums(segment);
        batch_.push_back({.frame = segment, .checksums_known_good = true, .sequence = 0});
    }
}

std::vector<std::byte>& netdev_cable::spare_segment() {
    if (segments_used_ == segments_.size()) segments_.emplace_back();
    return segments_[segments_used_];
}

void netdev_cable::release(std::size_t) noexcept {}

void netdev_cable::serve() noexcept {
    // What the messages say does not matter: that there are some is reason to look.
    std::array<std::byte, 8192> ignored;
    while (::recv(link_changes_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
    }
    link_up_ = read_netdev(interface_).up;
}

void netdev_cable::wait_for_arrivals(std::chrono::milliseconds limit) noexcept {
    std::array<pollfd, 2> watched{pollfd{receiver_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), static_cast<int>(limit.count()));
    std::uint64_t woken = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &woken, sizeof woken);
}

void netdev_cable::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

std::uint64_t netdev_cable::frames_lost() noexcept {
    tpacket_stats statistics{};
    socklen_t bytes = sizeof statistics;
    // Reading resets the kernel's count.
    if (::getsockopt(receiver_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &bytes) == 0) {
        frames_lost_ += statistics.tp_drops;
    }
    return frames_lost_;
}

}  // namespace softnic
