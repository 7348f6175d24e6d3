// SPDX-License-Identifier: BSD-3-Clause
/// The frame parser against a reference that is slow and obvious: it peels one layer off at a time, copying what is
/// left.
///
/// Input: a byte of options, two of how much longer the frame was on the wire, and the captured bytes.
#include "verbs/frame.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <vector>

using verbcast::verbs::frame_kind;
using verbcast::verbs::link_layer;

namespace {

using octets = std::vector<unsigned>;

/// Bytes of which the last ones may be missing from the capture.
struct layer {
    octets seen;
    std::size_t length = 0;  // on the wire, or as the header around it says

    bool reaches(std::size_t bytes) const { return seen.size() >= bytes; }
    unsigned at(std::size_t i) const { return seen.at(i); }
    unsigned pair(std::size_t i) const { return seen.at(i) * 256 + seen.at(i + 1); }
    octets part(std::size_t begin, std::size_t count) const {
        octets result;
        for (std::size_t i = begin; i < begin + count; ++i) result.push_back(seen.at(i));
        return result;
    }
    layer without_front(std::size_t bytes) const {
        layer rest;
        for (std::size_t i = bytes; i < seen.size(); ++i) rest.seen.push_back(seen[i]);
        rest.length = length > bytes ? length - bytes : 0;
        return rest;
    }
    layer shortened_to(std::size_t bytes) const {
        layer front = *this;
        front.length = bytes;
        if (front.seen.size() > bytes) front.seen.resize(bytes);
        return front;
    }
};

struct answer {
    frame_kind kind = frame_kind::bad;
    octets payload, source, destination;
    unsigned source_port = 0, destination_port = 0;
    unsigned vlan = 0;  // 0: none
};

/// A header of `bytes` that is not there: was it captured away, or never sent?
bool misses(const layer& from, std::size_t bytes, answer& result) {
    if (from.length < bytes) {
        result.kind = frame_kind::bad;
        return true;
    }
    if (!from.reaches(bytes)) {
        result.kind = frame_kind::cut;
        return true;
    }
    return false;
}

unsigned ones_complement_sum(const octets& data) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
        sum += i % 2 == 0 ? data[i] * 256 : data[i];
        if (sum > 65535) sum -= 65535;
    }
    return sum;
}

answer udp(const layer& datagram, answer result, bool checksums, bool over_ipv4) {
    if (misses(datagram, 8, result)) return result;
    result.source_port = datagram.pair(0);
    result.destination_port = datagram.pair(2);
    const unsigned length = datagram.pair(4);
    if (length < 8 || misses(datagram, length, result)) return result;
    if (checksums && (datagram.pair(6) != 0 || !over_ipv4)) {
        octets summed = result.source;
        summed.insert(summed.end(), result.destination.begin(), result.destination.end());
        for (const unsigned each : {0U, 17U, length / 256, length % 256}) summed.push_back(each);
        for (const unsigned each : datagram.part(0, length)) summed.push_back(each);
        if (datagram.pair(6) == 0 || ones_complement_sum(summed) != 65535) {
            result.kind = frame_kind::bad_checksum;
            return result;
        }
    }
    result.kind = frame_kind::udp;
    result.payload = datagram.part(8, length - 8);
    return result;
}

answer ipv4(const layer& packet, answer result, bool checksums) {
    if (misses(packet, 20, result)) return result;
    const unsigned header = packet.at(0) % 16 * 4;
    const unsigned total = packet.pair(2);
    if (packet.at(0) / 16 != 4 || header < 20 || total < header || total > packet.length) return result;
    if (packet.at(9) != 17) {
        result.kind = frame_kind::not_udp;
        return result;
    }
    if (packet.pair(6) % 0x4000 != 0) {
        result.kind = frame_kind::fragment;
        return result;
    }
    result.source = packet.part(12, 4);
    result.destination = packet.part(16, 4);
    const layer bounded = packet.shortened_to(total);
    // The header's own checksum is looked at last, with the datagram's.
    answer found = udp(bounded.without_front(header), result, checksums, true);
    if (checksums && found.kind == frame_kind::udp && ones_complement_sum(packet.part(0, header)) != 65535) {
        found.kind = frame_kind::bad_checksum;
    }
    return found;
}

answer ipv6(const layer& packet, answer result, bool checksums) {
    if (misses(packet, 40, result)) return result;
    if (packet.at(0) / 16 != 6 || 40 + packet.pair(4) > packet.length) return result;
    result.source = packet.part(8, 16);
    result.destination = packet.part(24, 16);
    unsigned protocol = packet.at(6);
    layer rest = packet.shortened_to(40 + packet.pair(4)).without_front(40);
    const std::set<unsigned> extensions{0, 43, 44, 51, 60};
    for (std::size_t passed = 0; extensions.contains(protocol); ++passed) {
        if (passed == 8) return result;
        if (misses(rest, 8, result)) return result;
        const unsigned next = rest.at(0);
        if (protocol == 44 && (rest.pair(2) / 8 != 0 || rest.pair(2) % 2 != 0)) {
            result.kind = next == 17 || extensions.contains(next) ? frame_kind::fragment : frame_kind::not_udp;
            return result;
        }
        const std::map<unsigned, std::size_t> lengths{{44, 8}, {51, rest.at(1) * 4 + 8}};
        const std::size_t length = lengths.contains(protocol) ? lengths.at(protocol) : rest.at(1) * 8 + 8;
        rest = rest.without_front(length);
        protocol = next;
    }
    if (protocol != 17) {
        result.kind = frame_kind::not_udp;
        return result;
    }
    return udp(rest, result, checksums, false);
}

answer tagged(layer rest, unsigned type, bool checksums) {
    answer result;
    for (int tags = 0; type == 0x8100 || type == 0x88a8 || type == 0x9100; ++tags) {
        if (tags == 4 || misses(rest, 4, result)) return result;
        if (result.vlan == 0) result.vlan = rest.pair(0) % 4096;
        type = rest.pair(2);
        rest = rest.without_front(4);
    }
    if (type == 0x0800) return ipv4(rest, result, checksums);
    if (type == 0x86dd) return ipv6(rest, result, checksums);
    result.kind = frame_kind::not_ip;
    return result;
}

answer reference(link_layer link, const layer& frame, bool checksums) {
    answer result;
    if (link == link_layer::raw_ip) {
        if (misses(frame, 1, result)) return result;
        if (frame.at(0) / 16 == 4) return ipv4(frame, result, checksums);
        if (frame.at(0) / 16 == 6) return ipv6(frame, result, checksums);
        result.kind = frame_kind::not_ip;
        return result;
    }
    const std::size_t header = link == link_layer::ethernet ? 14 : link == link_layer::linux_cooked_v1 ? 16 : 20;
    const std::size_t type_at = link == link_layer::ethernet ? 12 : link == link_layer::linux_cooked_v1 ? 14 : 0;
    if (misses(frame, header, result)) return result;
    return tagged(frame.without_front(header), frame.pair(type_at), checksums);
}

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "the parser and the reference differ: %s\n", what);
    std::abort();
}

bool same(const verbcast::verbs::ip_address& address, const octets& expected) {
    const auto family = expected.size() == 4 ? verbcast::verbs::ip_family::v4 : verbcast::verbs::ip_family::v6;
    if (address.family != family) return false;
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        if (std::to_integer<unsigned>(address.bytes.at(i)) != (i < expected.size() ? expected[i] : 0)) return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const auto link = static_cast<link_layer>(data[0] % 4);
    const bool checksums = (data[0] & 4) != 0;
    const std::size_t more_on_the_wire = data[1] * 256U + data[2];

    // A block of its own, so that the sanitizer sees a read beyond it.
    std::vector<std::byte> captured(size - 3);
    layer frame;
    for (std::size_t i = 0; i < captured.size(); ++i) {
        captured[i] = std::byte{data[i + 3]};
        frame.seen.push_back(data[i + 3]);
    }
    frame.length = captured.size() + more_on_the_wire;

    const answer expected = reference(link, frame, checksums);
    verbcast::verbs::udp_frame got;
    const frame_kind kind =
        parse_frame(link, captured, frame.length,
                    checksums ? verbcast::verbs::checksum_check::verify : verbcast::verbs::checksum_check::skip, got);
    expect(kind == expected.kind, "kind");
    expect(got.vlan.value_or(0) == expected.vlan, "vlan");
    expect(got.destination_port == expected.destination_port, "destination port");
    if (got.destination_port != 0) {
        expect(got.source_port == expected.source_port, "source port");
        expect(same(got.source, expected.source), "source");
        expect(same(got.destination, expected.destination), "destination");
    }
    if (kind != frame_kind::udp) return 0;
    expect(got.payload.size() == expected.payload.size(), "payload length");
    for (std::size_t i = 0; i < expected.payload.size(); ++i) {
        expect(std::to_integer<unsigned>(got.payload[i]) == expected.payload[i], "payload");
    }
    return 0;
}
