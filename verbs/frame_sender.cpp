// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame_sender.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

constexpr std::size_t ethernet_bytes = 14;
constexpr std::size_t vlan_bytes = 4;
constexpr std::size_t ipv4_bytes = 20;
constexpr std::size_t ipv6_bytes = 40;
constexpr std::size_t udp_bytes = 8;
constexpr std::size_t header_bytes_max = ethernet_bytes + vlan_bytes + ipv6_bytes + udp_bytes;
/// Every so many frames one asks for a completion.
constexpr std::uint64_t signal_every = 32;
constexpr std::chrono::milliseconds drain_limit{100};

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

void append16(std::vector<std::byte>& to, unsigned value) {
    to.push_back(static_cast<std::byte>(value >> 8));
    to.push_back(static_cast<std::byte>(value & 0xff));
}

void put16(std::byte* at, std::size_t value) noexcept {
    at[0] = static_cast<std::byte>(value >> 8 & 0xff);
    at[1] = static_cast<std::byte>(value & 0xff);
}

/// RFC 1071, not yet folded.
std::uint64_t sum(std::uint64_t so_far, const std::byte* at, std::size_t bytes) noexcept {
    for (; bytes >= 2; at += 2, bytes -= 2)
        so_far += std::to_integer<std::uint64_t>(at[0]) << 8 | std::to_integer<std::uint64_t>(at[1]);
    return bytes == 0 ? so_far : so_far + (std::to_integer<std::uint64_t>(*at) << 8);
}

std::uint16_t folded(std::uint64_t so_far) noexcept {
    while (so_far >> 16 != 0) so_far = (so_far & 0xffff) + (so_far >> 16);
    return static_cast<std::uint16_t>(~so_far);
}

/// RFC 791 and RFC 8200; lengths and checksums are left out.
void append_ip_header(std::vector<std::byte>& to, const frame_destination& wanted) {
    constexpr std::byte udp{17};
    if (wanted.address.family == ip_family::v6) {
        append(to, std::array{std::byte{0x60}, std::byte{0}, std::byte{0}, std::byte{0}});
        append16(to, 0);
        to.push_back(udp);
        to.push_back(std::byte{wanted.hops});
        append(to, wanted.source.bytes);
        append(to, wanted.address.bytes);
        return;
    }
    constexpr unsigned do_not_fragment = 0x4000;
    append(to, std::array{std::byte{0x45}, std::byte{0}});
    append16(to, 0);
    append16(to, 0);
    append16(to, do_not_fragment);
    to.push_back(std::byte{wanted.hops});
    to.push_back(udp);
    append16(to, 0);
    append(to, std::span(wanted.source.bytes).first(4));
    append(to, std::span(wanted.address.bytes).first(4));
}

std::vector<std::byte> header_for(const frame_destination& wanted, const mac_address& from) {
    constexpr unsigned vlan_type = 0x8100;
    constexpr unsigned ipv4_type = 0x0800;
    constexpr unsigned ipv6_type = 0x86dd;
    std::vector<std::byte> header;
    header.reserve(header_bytes_max);
    append(header, multicast_mac(wanted.address));
    append(header, from);
    if (wanted.vlan) {
        append16(header, vlan_type);
        append16(header, *wanted.vlan);
    }
    append16(header, wanted.address.family == ip_family::v6 ? ipv6_type : ipv4_type);
    append_ip_header(header, wanted);
    append16(header, wanted.source_port);
    append16(header, wanted.port);
    append16(header, 0);
    append16(header, 0);
    return header;
}

}  // namespace

frame_sender::frame_sender(device owner, std::span<const frame_destination> destinations,
                           std::size_t datagram_bytes_max, std::size_t frames)
    : device_(std::move(owner)), domain_(device_.make_domain()),
      memory_(device_, domain_.get(), frames, datagram_bytes_max + header_bytes_max),
      completions_(device_, {.entries = frames, .events = false}),
      pair_(make_raw_sender(device_, domain_.get(), completions_.get(), frames)),
      device_sums_(device_.can().checks_checksums), entries_(frames), requests_(frames) {
    for (const frame_destination& each : destinations) headers_.push_back(header_for(each, device_.interface().mac));
    for (std::size_t i = 0; i < frames; ++i) {
        entries_[i] = {
            .addr = reinterpret_cast<std::uintptr_t>(memory_.slot(i)), .length = 0, .lkey = memory_.local_key(i)};
        requests_[i] = {};
        requests_[i].sg_list = &entries_[i];
        requests_[i].num_sge = 1;
        requests_[i].opcode = IBV_WR_SEND;
    }
}

frame_sender::~frame_sender() {
    const auto deadline = std::chrono::steady_clock::now() + drain_limit;
    try {
        while (done_ < flushed_ && std::chrono::steady_clock::now() < deadline) reap(false);
    } catch (const std::exception&) {  // the device is gone, and with it what was on its way
    }
}

void frame_sender::add(std::size_t destination, std::span<const std::byte> head, std::span<const std::byte> tail) {
    const std::size_t slots = requests_.size();
    if (added_ - done_ == slots) {
        flush();
        while (added_ - done_ == slots) reap(true);
    }
    const std::vector<std::byte>& header = headers_[destination];
    const std::size_t slot = added_ % slots;
    const std::size_t datagram_bytes = head.size() + tail.size();
    assert(header.size() + datagram_bytes <= memory_.slot_bytes());
    std::byte* frame = memory_.slot(slot);
    std::byte* at = std::copy(header.begin(), header.end(), frame);
    at = std::copy(head.begin(), head.end(), at);
    std::copy(tail.begin(), tail.end(), at);
    fill_lengths_and_sums(frame, header.size(), datagram_bytes);
    entries_[slot].length = static_cast<std::uint32_t>(header.size() + datagram_bytes);
    ++added_;
    requests_[slot].wr_id = added_;
    requests_[slot].send_flags = device_sums_ ? unsigned{IBV_SEND_IP_CSUM} : 0U;
    if (added_ % signal_every == 0) requests_[slot].send_flags |= IBV_SEND_SIGNALED;
}

void frame_sender::fill_lengths_and_sums(std::byte* frame, std::size_t header_bytes,
                                         std::size_t datagram_bytes) const noexcept {
    std::byte* const udp = frame + header_bytes - udp_bytes;
    const std::size_t udp_length = udp_bytes + datagram_bytes;
    put16(udp + 4, udp_length);
    const bool ipv6 = header_bytes >= ethernet_bytes + ipv6_bytes + udp_bytes;
    std::byte* const ip = udp - (ipv6 ? ipv6_bytes : ipv4_bytes);
    put16(ip + (ipv6 ? 4 : 2), ipv6 ? udp_length : ipv4_bytes + udp_length);
    if (device_sums_) return;
    if (!ipv6) put16(ip + 10, folded(sum(0, ip, ipv4_bytes)));
    // The pseudo header: both addresses, the protocol, the length.
    const std::size_t addresses = ipv6 ? 32 : 8;
    const std::uint64_t pseudo = sum(17 + udp_length, udp - addresses, addresses);
    const std::uint16_t checksum = folded(sum(pseudo, udp, udp_length));
    put16(udp + 6, checksum == 0 ? 0xffff : checksum);  // RFC 768: zero says that there is none
}

void frame_sender::flush() {
    const std::size_t slots = requests_.size();
    if (flushed_ == added_) return;
    for (std::uint64_t i = flushed_; i < added_; ++i)
        requests_[i % slots].next = i + 1 < added_ ? &requests_[(i + 1) % slots] : nullptr;
    // So that whoever waits for room is told, however few they were.
    requests_[(added_ - 1) % slots].send_flags |= IBV_SEND_SIGNALED;
    ibv_send_wr* refused = nullptr;
    if (const int error = ibv_post_send(pair_.get(), &requests_[flushed_ % slots], &refused))
        throw_verbs_error(error, "ibv_post_send", device_.name());
    flushed_ = added_;
    reap(false);
}

void frame_sender::reap(bool wait) {
    std::array<completion, 16> finished;
    int count = 0;
    do {
        count = completions_.poll(finished);
    } while (count == 0 && wait);
    if (count < 0) throw_verbs_error(-count, "ibv_poll_cq", device_.name());
    for (const completion& each : std::span(finished).first(static_cast<std::size_t>(count))) {
        if (each.status != slot_status::received)
            throw_verbs_error(EIO, "ibv_post_send: a frame was refused", device_.name());
        done_ = std::max(done_, each.slot);
    }
}

}  // namespace verbcast::verbs
