// SPDX-License-Identifier: BSD-3-Clause
#include "src/header_memo.hpp"

namespace verbcast {

void header_memo::remember(std::span<const std::byte> datagram, const packet& decoded) noexcept {
    const std::size_t header_bytes = sizeof(std::uint64_t) + decoded.pointers.size();
    const std::size_t words_needed = (header_bytes + sizeof(words) - 1) / sizeof(words);
    datagram_bytes_ = nothing;
    // What stops a stream is looked at closely each time; an odd word is compared together with payload, so there must
    // be some.
    if (words_needed > words_max || words_needed * sizeof(words) > datagram.size() || decoded.stops) return;

    expected_.fill(words{});
    mask_.fill(words{});
    std::memcpy(expected_.data(), datagram.data(), header_bytes);
    std::memset(mask_.data(), 0xff, header_bytes);
    value_mask_ = (std::uint64_t{1} << decoded.address_bits) - 1;
    const std::uint64_t id_only = __builtin_bswap64(~value_mask_);
    auto* const mask_bytes = reinterpret_cast<std::byte*>(mask_.data());
    for (std::size_t at = sizeof(std::uint64_t); at < header_bytes; at += sizeof(std::uint64_t)) {
        const item_pointer pointer{load_big_endian(datagram.data() + at)};
        if (!pointer.immediate()) continue;
        const std::uint64_t id = pointer.id(decoded.address_bits);
        if (id != item_id::heap_cnt && id != item_id::payload_offset) continue;
        (id == item_id::heap_cnt ? cnt_at_ : offset_at_) = at;  // the last one wins, as in decode_packet()
        std::memcpy(mask_bytes + at, &id_only, sizeof id_only);
    }
    known_ = decoded;
    words_ = words_needed;
    const bool sized = decoded.heap_length != packet::length_unknown;
    offset_max_ = sized ? decoded.heap_length - decoded.payload.size() : value_mask_;
    ++id_;
    datagram_bytes_ = datagram.size();
}

}  // namespace verbcast
