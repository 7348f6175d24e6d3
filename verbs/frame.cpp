// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/frame.hpp"

#include <algorithm>
#include <cstring>

namespace verbcast::verbs {
namespace {

// EtherTypes and protocol numbers as the IANA lists them.
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
constexpr std::uint8_t protocol_hop_by_hop = 0;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t protocol_routing = 43;
constexpr std::uint8_t protocol_fragment = 44;
constexpr std::uint8_t protocol_authentication = 51;
constexpr std::uint8_t protocol_destination_options = 60;

constexpr std::size_t ethernet_header_bytes = 14;
constexpr std::size_t cooked_v1_header_bytes = 16;
constexpr std::size_t cooked_v2_header_bytes = 20;
constexpr std::size_t vlan_tag_bytes = 4;
constexpr std::size_t ipv4_header_bytes_min = 20;
constexpr std::size_t ipv6_header_bytes = 40;
constexpr std::size_t extension_unit_bytes = 8;
constexpr std::size_t udp_header_bytes = 8;

bool is_vlan_tag(std::uint16_t ethertype) noexcept {
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

bool is_extension(std::uint8_t protocol) noexcept {
    return protocol == protocol_hop_by_hop || protocol == protocol_routing || protocol == protocol_fragment ||
           protocol == protocol_authentication || protocol == protocol_destination_options;
}

/// What a step found: the frame goes on, or it has ended with a kind.
using verdict = std::optional<frame_kind>;
constexpr verdict go_on = std::nullopt;

class frame_parser {
public:
    frame_parser(std::span<const std::byte> captured, std::size_t wire_bytes, udp_frame& out) noexcept
        : bytes_(captured), wire_bytes_(std::max(wire_bytes, captured.size())), ip_end_(wire_bytes_), out_(out) {}

    frame_kind run(link_layer link, checksum_check checksums) noexcept {
        if (const verdict ended = link_header(link)) return *ended;
        const bool v4 = ethertype_ == ethertype_ipv4;
        const std::size_t ip_begin = at_;
        if (const verdict ended = v4 ? ipv4_header() : ipv6_header()) return *ended;
        if (const verdict ended = udp_header()) return *ended;
        if (checksums == checksum_check::verify && !checksums_hold(ip_begin, v4)) return frame_kind::bad_checksum;
        out_.payload = bytes_.subspan(at_ + udp_header_bytes, udp_bytes_ - udp_header_bytes);
        return frame_kind::udp;
    }

private:
    std::uint8_t u8(std::size_t at) const noexcept { return std::to_integer<std::uint8_t>(bytes_[at]); }
    std::uint16_t u16(std::size_t at) const noexcept {
        return static_cast<std::uint16_t>((unsigned{u8(at)} << 8) | u8(at + 1));
    }

    /// Asks for bytes up to `end`, which the headers say are there.
    verdict need(std::size_t end) const noexcept {
        if (end > ip_end_) return frame_kind::bad;
        return end > bytes_.size() ? verdict{frame_kind::cut} : go_on;
    }

    /// Ends behind the last tag, with ethertype_ one of the two of IP.
    verdict link_header(link_layer link) noexcept {
        switch (link) {
        case link_layer::raw_ip: return raw_version();
        case link_layer::ethernet: return ethertype(ethernet_header_bytes, ethernet_header_bytes - 2);
        case link_layer::linux_cooked_v1: return ethertype(cooked_v1_header_bytes, cooked_v1_header_bytes - 2);
        case link_layer::linux_cooked_v2: return ethertype(cooked_v2_header_bytes, 0);
        }
        return frame_kind::not_ip;
    }

    verdict raw_version() noexcept {
        if (const verdict ended = need(1)) return ended;
        const unsigned version = u8(0) >> 4;
        if (version != 4 && version != 6) return frame_kind::not_ip;
        ethertype_ = version == 4 ? ethertype_ipv4 : ethertype_ipv6;
        return go_on;
    }

    verdict ethertype(std::size_t header_bytes, std::size_t type_at) noexcept {
        if (const verdict ended = need(header_bytes)) return ended;
        at_ = header_bytes;
        ethertype_ = u16(type_at);
        for (std::size_t tags = 0; is_vlan_tag(ethertype_); ++tags) {
            if (tags == vlan_tags_max) return frame_kind::bad;
            if (const verdict ended = need(at_ + vlan_tag_bytes)) return ended;
            const auto id = static_cast<std::uint16_t>(u16(at_) & 0x0fff);
            if (id != 0 && !out_.vlan) out_.vlan = id;
            ethertype_ = u16(at_ + 2);
            at_ += vlan_tag_bytes;
        }
        return ethertype_ == ethertype_ipv4 || ethertype_ == ethertype_ipv6 ? go_on : verdict{frame_kind::not_ip};
    }

    /// The packet of IP is `ip_bytes` long from `begin`: what is behind it is padding.
    verdict bound_ip(std::size_t begin, std::size_t ip_bytes) noexcept {
        if (begin + ip_bytes > wire_bytes_) return frame_kind::bad;
        ip_end_ = begin + ip_bytes;
        return go_on;
    }

    verdict ipv4_header() noexcept {
        const std::size_t begin = at_;
        if (const verdict ended = need(begin + ipv4_header_bytes_min)) return ended;
        const std::size_t header_bytes = std::size_t{u8(begin)} % 16 * 4;
        const std::size_t ip_bytes = u16(begin + 2);
        if (u8(begin) >> 4 != 4 || header_bytes < ipv4_header_bytes_min || ip_bytes < header_bytes) {
            return frame_kind::bad;
        }
        if (const verdict ended = bound_ip(begin, ip_bytes)) return ended;
        if (u8(begin + 9) != protocol_udp) return frame_kind::not_udp;
        const bool is_piece = (u16(begin + 6) & 0x3fff) != 0;  // more to come, or an offset
        if (is_piece) return frame_kind::fragment;

        source_at_ = begin + 12;
        destination_at_ = begin + 16;
        at_ = begin + header_bytes;
        return go_on;
    }

    verdict ipv6_header() noexcept {
        const std::size_t begin = at_;
        if (const verdict ended = need(begin + ipv6_header_bytes)) return ended;
        if (u8(begin) >> 4 != 6) return frame_kind::bad;
        if (const verdict ended = bound_ip(begin, ipv6_header_bytes + u16(begin + 4))) return ended;
        source_at_ = begin + 8;
        destination_at_ = begin + 24;
        at_ = begin + ipv6_header_bytes;
        return extension_headers(u8(begin + 6));
    }

    verdict extension_headers(std::uint8_t protocol) noexcept {
        for (std::size_t headers = 0; is_extension(protocol); ++headers) {
            if (headers == extension_headers_max) return frame_kind::bad;
            if (const verdict ended = need(at_ + extension_unit_bytes)) return ended;
            const std::uint8_t next = u8(at_);
            std::size_t header_bytes = (std::size_t{u8(at_ + 1)} + 1) * extension_unit_bytes;
            if (protocol == protocol_authentication) {
                header_bytes = (std::size_t{u8(at_ + 1)} + 2) * 4;  // RFC 4302 counts in words, less two
            } else if (protocol == protocol_fragment) {
                header_bytes = extension_unit_bytes;
                const bool is_piece = (u16(at_ + 2) & 0xfff9) != 0;  // an offset, or more to come
                if (is_piece)
                    return next == protocol_udp || is_extension(next) ? frame_kind::fragment : frame_kind::not_udp;
            }
            at_ += header_bytes;
            protocol = next;
        }
        return protocol == protocol_udp ? go_on : verdict{frame_kind::not_udp};
    }

    verdict udp_header() noexcept {
        if (const verdict ended = need(at_ + udp_header_bytes)) return ended;
        const bool v4 = ethertype_ == ethertype_ipv4;
        copy_address(source_at_, v4, out_.source);
        copy_address(destination_at_, v4, out_.destination);
        out_.source_port = u16(at_);
        out_.destination_port = u16(at_ + 2);
        udp_bytes_ = u16(at_ + 4);
        if (udp_bytes_ < udp_header_bytes) return frame_kind::bad;
        return need(at_ + udp_bytes_);
    }

    void copy_address(std::size_t at, bool v4, ip_address& to) const noexcept {
        to.family = v4 ? ip_family::v4 : ip_family::v6;
        if (v4) {
            std::memset(to.bytes.data(), 0, to.bytes.size());
            std::memcpy(to.bytes.data(), &bytes_[at], 4);
        } else {
            std::memcpy(to.bytes.data(), &bytes_[at], 16);
        }
    }

    /// The one's complement sum of [begin, end) as 16-bit words, the last padded with zero (RFC 1071).
    std::uint64_t sum(std::size_t begin, std::size_t end) const noexcept {
        std::uint64_t total = 0;
        for (; begin + 1 < end; begin += 2) total += u16(begin);
        if (begin < end) total += std::uint64_t{u8(begin)} << 8;
        return total;
    }
    static bool is_all_ones(std::uint64_t total) noexcept {
        while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
        return total == 0xffff;
    }

    bool checksums_hold(std::size_t ip_begin, bool v4) const noexcept {
        if (v4 && !is_all_ones(sum(ip_begin, ip_begin + std::size_t{u8(ip_begin)} % 16 * 4))) return false;
        const bool absent = u16(at_ + 6) == 0;
        if (absent) return v4;  // required with IPv6
        const std::size_t address_bytes = v4 ? 4 : 16;
        const std::uint64_t pseudo_header = sum(source_at_, source_at_ + 2 * address_bytes) + protocol_udp + udp_bytes_;
        return is_all_ones(pseudo_header + sum(at_, at_ + udp_bytes_));
    }

    std::span<const std::byte> bytes_;
    std::size_t wire_bytes_;
    std::size_t ip_end_;  // of what the headers so far say is there
    std::size_t at_ = 0;
    std::size_t source_at_ = 0;
    std::size_t destination_at_ = 0;
    std::size_t udp_bytes_ = 0;
    std::uint16_t ethertype_ = 0;
    udp_frame& out_;
};

}  // namespace

std::string_view name(frame_kind kind) noexcept {
    switch (kind) {
    case frame_kind::udp: return "udp";
    case frame_kind::cut: return "cut";
    case frame_kind::not_ip: return "not_ip";
    case frame_kind::not_udp: return "not_udp";
    case frame_kind::fragment: return "fragment";
    case frame_kind::bad: return "bad";
    case frame_kind::bad_checksum: return "bad_checksum";
    }
    return "unknown";
}

frame_kind parse_frame(link_layer link, std::span<const std::byte> captured, std::size_t wire_bytes,
                       checksum_check checksums, udp_frame& out) noexcept {
    out.vlan.reset();
    out.destination_port = 0;
    return frame_parser(captured, wire_bytes, out).run(link, checksums);
}

}  // namespace verbcast::verbs
