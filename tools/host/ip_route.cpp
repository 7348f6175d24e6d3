// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/ip_route.hpp"

#include <bit>
#include <cstdlib>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace verbcast::tools {
namespace {

struct route {
    std::string interface;
    ip_bytes network = {};
    unsigned bits = 0;
    unsigned long metric = 0;
};

unsigned long hexadecimal(const std::string& text) { return std::strtoul(text.c_str(), nullptr, 16); }

/// "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF ...": numbers in the byte order of the machine.
std::optional<route> route_v4(const std::vector<std::string>& words) {
    constexpr unsigned long up = 1, reject = 0x200;
    if (words.size() < 8 || words[0] == "Iface") return std::nullopt;  // a title, or cut off
    const unsigned long flags = hexadecimal(words[3]);
    if ((flags & up) == 0 || (flags & reject) != 0) return std::nullopt;
    route made{.interface = words[0]};
    const auto destination = static_cast<std::uint32_t>(hexadecimal(words[1]));
    for (unsigned i = 0; i < 4; ++i) made.network.bytes[i] = static_cast<std::uint8_t>(destination >> (8 * i));
    made.bits = static_cast<unsigned>(std::popcount(static_cast<std::uint32_t>(hexadecimal(words[7]))));
    made.metric = std::strtoul(words[6].c_str(), nullptr, 10);
    return made;
}

/// "fd99...00 40 00... 00 00... 00000100 00000001 00000000 00000001 veth0".
std::optional<route> route_v6(const std::vector<std::string>& words) {
    constexpr unsigned long up = 1, reject = 0x200;
    if (words.size() < 10 || words[0].size() != 32) return std::nullopt;
    const unsigned long flags = hexadecimal(words[8]);
    if ((flags & up) == 0 || (flags & reject) != 0) return std::nullopt;
    route made{.interface = words[9]};
    made.network.v6 = true;
    for (std::size_t i = 0; i < 16; ++i)
        made.network.bytes[i] = static_cast<std::uint8_t>(hexadecimal(words[0].substr(2 * i, 2)));
    made.bits = static_cast<unsigned>(hexadecimal(words[1]));
    made.metric = hexadecimal(words[5]);
    return made;
}

}  // namespace

std::optional<ip_bytes> ip_from(const std::string& text) {
    ip_bytes made;
    if (::inet_pton(AF_INET, text.c_str(), made.bytes.data()) == 1) return made;
    made.v6 = true;
    if (::inet_pton(AF_INET6, text.c_str(), made.bytes.data()) == 1) return made;
    return std::nullopt;
}

std::string text_of(const ip_bytes& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(), text.size());
    return text.data();
}

std::string multicast_mac_of(const ip_bytes& group) {
    const auto& each = group.bytes;
    if (group.v6) return fmt::format("33:33:{:02x}:{:02x}:{:02x}:{:02x}", each[12], each[13], each[14], each[15]);
    return fmt::format("01:00:5e:{:02x}:{:02x}:{:02x}", each[1] & 0x7f, each[2], each[3]);
}

bool in_network(const ip_bytes& address, const ip_bytes& network, unsigned bits) {
    if (address.v6 != network.v6) return false;
    for (unsigned i = 0; i < bits; ++i) {
        const unsigned mask = 0x80U >> (i % 8);
        if (((address.bytes[i / 8] ^ network.bytes[i / 8]) & mask) != 0) return false;
    }
    return true;
}

const char* route_table_key(const ip_bytes& address) { return address.v6 ? "/proc/net/ipv6_route" : "/proc/net/route"; }

std::optional<std::string> interface_to(const host_snapshot& raw, const ip_bytes& address) {
    std::optional<route> best;
    for (const std::string& line : lines_of(raw.text(route_table_key(address)).value_or(""))) {
        const std::vector<std::string> words = words_of(line);
        const std::optional<route> each = address.v6 ? route_v6(words) : route_v4(words);
        const unsigned bits_max = address.v6 ? 128 : 32;
        if (!each || each->bits > bits_max || !in_network(address, each->network, each->bits)) continue;
        if (!best || each->bits > best->bits || (each->bits == best->bits && each->metric < best->metric)) best = each;
    }
    if (!best) return std::nullopt;
    return best->interface;
}

}  // namespace verbcast::tools
