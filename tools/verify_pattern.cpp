// SPDX-License-Identifier: BSD-3-Clause
#include "verify_pattern.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace verbcast::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "the pattern's words are written as they lie in memory");

constexpr std::uint64_t step = 0x9e3779b97f4a7c15;
constexpr std::size_t block_words = 512;
constexpr std::size_t block_bytes = block_words * sizeof(std::uint64_t);
using block = std::array<std::uint64_t, block_words>;

constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/// Calls `use(bytes of the pattern, where they belong in data)` block by block until it returns false.
template <class Span, class Use>
void for_each_block(std::uint64_t cnt, Span data, Use&& use) noexcept {
    block words;
    std::uint64_t word = mix(cnt) + step;
    while (!data.empty()) {
        for (std::size_t i = 0; i < block_words; ++i) words[i] = word + i * step;
        word += block_words * step;
        const std::size_t count = std::min(data.size(), block_bytes);
        if (!use(words, data.first(count))) return;
        data = data.subspan(count);
    }
}

}  // namespace

void fill_pattern(std::uint64_t cnt, std::span<std::byte> data) noexcept {
    for_each_block(cnt, data, [](const block& words, std::span<std::byte> out) {
        std::memcpy(out.data(), words.data(), out.size());
        return true;
    });
}

std::optional<std::size_t> pattern_mismatch(std::uint64_t cnt, std::span<const std::byte> data) noexcept {
    std::optional<std::size_t> bad;
    std::size_t before = 0;
    for_each_block(cnt, data, [&](const block& words, std::span<const std::byte> part) {
        if (std::memcmp(words.data(), part.data(), part.size()) == 0) {
            before += part.size();
            return true;
        }
        const auto wanted = std::as_bytes(std::span(words));
        bad = before +
              static_cast<std::size_t>(std::mismatch(part.begin(), part.end(), wanted.begin()).first - part.begin());
        return false;
    });
    return bad;
}

}  // namespace verbcast::tools
