// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/ip_address.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include <arpa/inet.h>

namespace verbcast::verbs {

std::optional<ip_address> ip_address::from_string(std::string_view text) {
    char terminated[INET6_ADDRSTRLEN];
    if (text.size() >= sizeof terminated) return std::nullopt;
    *std::copy(text.begin(), text.end(), terminated) = '\0';
    if (std::strlen(terminated) != text.size()) return std::nullopt;

    ip_address address;
    if (inet_pton(AF_INET, terminated, address.bytes.data()) == 1) {
        address.family = ip_family::v4;
        return address;
    }
    if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) {
        address.family = ip_family::v6;
        return address;
    }
    return std::nullopt;
}

std::string ip_address::to_string() const {
    if (family == ip_family::none) return "no address";
    char text[INET6_ADDRSTRLEN];
    [[maybe_unused]] const char* const written =
        inet_ntop(family == ip_family::v4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
    assert(written && "the buffer holds the longest address");
    return text;
}

bool ip_address::is_multicast() const noexcept {
    if (family == ip_family::v4) return (bytes[0] & std::byte{0xf0}) == std::byte{0xe0};
    return family == ip_family::v6 && bytes[0] == std::byte{0xff};
}

bool ip_address::is_unspecified() const noexcept {
    return family != ip_family::none && bytes == std::array<std::byte, 16>{};
}

bool ip_address::needs_interface() const noexcept {
    if (family != ip_family::v6) return false;
    if (is_multicast()) {
        const auto scope = std::to_integer<unsigned>(bytes[1] & std::byte{0x0f});
        return scope == 1 || scope == 2;
    }
    return bytes[0] == std::byte{0xfe} && (bytes[1] & std::byte{0xc0}) == std::byte{0x80};
}

bool ip_address::is_v4_mapped() const noexcept {
    constexpr std::array<unsigned char, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return family == ip_family::v6 && std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

std::string to_string(const ip_address& address, std::uint16_t port) {
    const std::string host = address.to_string();
    return (address.family == ip_family::v6 ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

socket_address to_socket_address(const ip_address& address, std::uint16_t port, unsigned interface_index) noexcept {
    socket_address result;
    if (address.family == ip_family::v4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
        std::memcpy(&result.storage, &v4, sizeof v4);
        result.length = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
        if (address.needs_interface()) v6.sin6_scope_id = interface_index;
        std::memcpy(&result.storage, &v6, sizeof v6);
        result.length = sizeof v6;
    }
    return result;
}

}  // namespace verbcast::verbs
