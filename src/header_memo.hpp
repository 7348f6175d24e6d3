// SPDX-License-Identifier: BSD-3-Clause
/// The header of the last packet, to recognise the next one by it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <verbcast/packet.hpp>

#include "src/byte_order.hpp"

namespace verbcast {

/// Most packets differ from the one before only in PAYLOAD_OFFSET, and at the start of a heap in HEAP_CNT. For those a
/// comparison does in the place of a decoder, of the look-up of the heap and of the rules.
class header_memo {
public:
    /// Keeps the header of a datagram that decode_datagram() took apart.
    void remember(std::span<const std::byte> datagram, const packet& decoded) noexcept;

    /// The packet that decode_datagram() would find in the datagram, when that differs from the remembered one in
    /// HEAP_CNT and PAYLOAD_OFFSET alone; else null. It lives until the next call.
    const packet* recall(std::span<const std::byte> datagram) noexcept {
        if (datagram.size() != datagram_bytes_ || !matches(datagram.data())) return nullptr;
        const std::uint64_t offset = load_big_endian(datagram.data() + offset_at_) & value_mask_;
        if (offset > offset_max_) return nullptr;
        known_.heap_cnt = load_big_endian(datagram.data() + cnt_at_) & value_mask_;
        known_.payload_offset = offset;
        known_.payload = {datagram.data() + (datagram_bytes_ - known_.payload.size()), known_.payload.size()};
        known_.pointers = {datagram.data() + sizeof(std::uint64_t), known_.pointers.size()};
        return &known_;
    }

    /// A number of its own for each remembered header, never 0.
    std::uint64_t id() const noexcept { return id_; }

private:
    // Two words at a time, which every x86-64 and ARMv8 can do.
    using words = std::uint64_t __attribute__((vector_size(16)));
    static constexpr std::size_t words_max = 12;  // 24 words: the header and 23 pointers

    bool matches(const std::byte* header) const noexcept {
        words differences{};
        for (std::size_t i = 0; i < words_; ++i) {
            words each;
            std::memcpy(&each, header + i * sizeof each, sizeof each);
            differences |= (each ^ expected_[i]) & mask_[i];
        }
        return (differences[0] | differences[1]) == 0;
    }

    static constexpr std::size_t nothing = ~std::size_t{0};  // as long as no datagram is
    std::size_t datagram_bytes_ = nothing;
    std::size_t words_ = 0;
    std::size_t cnt_at_ = 0;
    std::size_t offset_at_ = 0;
    std::uint64_t value_mask_ = 0;
    std::uint64_t offset_max_ = 0;
    std::uint64_t id_ = 0;
    packet known_;  // with what the last call found
    std::array<words, words_max> expected_{};
    std::array<words, words_max> mask_{};
};

}  // namespace verbcast
