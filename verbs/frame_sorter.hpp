// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "verbs/flow_rule.hpp"
#include "verbs/frame.hpp"

namespace verbcast::verbs {

/// A frame, sorted: the datagram in it and the rule it was sent here for, or why there is none.
struct sorted_frame {
    static constexpr std::uint32_t no_rule = std::numeric_limits<std::uint32_t>::max();

    const std::byte* payload = nullptr;
    std::uint32_t payload_bytes = 0;
    std::uint32_t rule = no_rule;  ///< known for other kinds than `udp` too when the addresses are
    frame_kind kind = frame_kind::bad;
};

/// Finds the rule a frame was steered by, which hardware does not tell.
///
/// Nearly every frame is for the same rule as the one before, from the same sender, in the plainest of headers: those
/// are recognised by comparing a few words (`tests/benchmark/run`, "the way of a frame"). All others are parsed in
/// full. Reads only within the frame, never throws, allocates nothing while it sorts. One thread at a time.
class frame_sorter {
public:
    /// Rules are numbered from 0 in the order they are added.
    void add(const flow_match& match);

    sorted_frame sort(std::span<const std::byte> frame, checksum_check checksums) noexcept {
        if (checksums == checksum_check::skip && frame.size() >= plain_header_bytes && is_repeat(frame.data())) {
            const std::size_t datagram = load16(frame.data() + 38);
            const std::size_t packet = load16(frame.data() + 16);
            if (datagram >= udp_header_bytes && packet == datagram + ip_header_bytes &&
                packet + ethernet_header_bytes <= frame.size())
                return {frame.data() + plain_header_bytes, static_cast<std::uint32_t>(datagram - udp_header_bytes),
                        repeat_.rule, frame_kind::udp};
        }
        return parse(frame, checksums);
    }

private:
    static constexpr std::size_t ethernet_header_bytes = 14;
    static constexpr std::size_t ip_header_bytes = 20;
    static constexpr std::size_t udp_header_bytes = 8;
    static constexpr std::size_t plain_header_bytes = ethernet_header_bytes + ip_header_bytes + udp_header_bytes;

    /// What such frames have in common: Ethernet type, version and header length; fragment (but for "do not"),
    /// protocol; both addresses; the port.
    struct plain_header {
        std::uint32_t type_and_version = ~std::uint32_t{0};  // no frame's
        std::uint32_t fragment_and_protocol = 0;
        std::uint64_t addresses = 0;
        std::uint16_t port = 0;
        std::uint32_t rule = sorted_frame::no_rule;
    };
    struct destination {
        ip_address address;
        std::uint16_t port;
        friend bool operator==(const destination&, const destination&) = default;
    };
    struct destination_hash {
        std::size_t operator()(const destination& of) const noexcept;
    };
    struct wanted {
        std::optional<ip_address> source;
        std::optional<std::uint16_t> vlan;
        std::uint32_t rule;
    };

    template <class Word>
    static Word load(const std::byte* at) noexcept {
        Word word;
        std::memcpy(&word, at, sizeof word);
        return word;
    }
    static std::uint16_t load16(const std::byte* at) noexcept { return __builtin_bswap16(load<std::uint16_t>(at)); }
    static plain_header plain_header_of(const std::byte* frame) noexcept;
    bool is_repeat(const std::byte* frame) const noexcept {
        const plain_header seen = plain_header_of(frame);
        return seen.addresses == repeat_.addresses && seen.type_and_version == repeat_.type_and_version &&
               seen.fragment_and_protocol == repeat_.fragment_and_protocol && seen.port == repeat_.port;
    }

    sorted_frame parse(std::span<const std::byte> frame, checksum_check checksums) noexcept;
    std::uint32_t rule_of(const udp_frame& found) const noexcept;

    plain_header repeat_;
    std::unordered_map<destination, std::vector<wanted>, destination_hash> rules_;
    std::uint32_t rules_so_far_ = 0;
};

inline frame_sorter::plain_header frame_sorter::plain_header_of(const std::byte* frame) noexcept {
    // Little-endian words of big-endian fields: the masks are written in the order of the bytes.
    constexpr std::uint32_t all_but_service = 0x00ffffff;
    constexpr std::uint32_t all_but_do_not_fragment_and_ttl = 0xff00ffbf;
    return {.type_and_version = load<std::uint32_t>(frame + 12) & all_but_service,
            .fragment_and_protocol = load<std::uint32_t>(frame + 20) & all_but_do_not_fragment_and_ttl,
            .addresses = load<std::uint64_t>(frame + 26),
            .port = load<std::uint16_t>(frame + 36)};
}

}  // namespace verbcast::verbs
