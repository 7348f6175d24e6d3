// SPDX-License-Identifier: BSD-3-Clause
#include "segmentation.hpp"

#include "bytes.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace softnic {
namespace {

constexpr std::byte tcp_fin_psh{0x09};
constexpr std::byte tcp_cwr{0x80};
constexpr std::size_t ipv6_bytes = 40;

}  // namespace

segmenter::segmenter(std::span<const std::byte> frame, std::size_t header_bytes, std::size_t segment_bytes)
    : frame_(frame), header_bytes_(std::min(header_bytes, frame.size())),
      segment_bytes_(std::max<std::size_t>(segment_bytes, 1)), at_(header_bytes_) {
    // The headers alone, so that nothing is adjusted in what only looks like one behind them.
    const frame_layers layers = parse_frame(frame.first(header_bytes_));
    keys_ = layers.keys;
    network_offset_ = layers.network_offset;
    transport_offset_ = layers.transport_offset;
}

bool segmenter::next(std::vector<std::byte>& segment) {
    if (at_ >= frame_.size()) return false;
    const std::size_t bytes = std::min(segment_bytes_, frame_.size() - at_);
    const bool last = at_ + bytes == frame_.size();
    segment.assign(frame_.begin(), frame_.begin() + static_cast<std::ptrdiff_t>(header_bytes_));
    const auto from = frame_.begin() + static_cast<std::ptrdiff_t>(at_);
    segment.insert(segment.end(), from, from + static_cast<std::ptrdiff_t>(bytes));
    adjust(segment, last);
    at_ += bytes;
    ++number_;
    return true;
}

void segmenter::adjust(std::span<std::byte> segment, bool last) const noexcept {
    if (keys_.ip_version == 4) {
        std::byte* header = &segment[network_offset_];
        store_be16(header + 2, static_cast<std::uint16_t>(segment.size() - network_offset_));
        store_be16(header + 4, static_cast<std::uint16_t>(load_be16(header + 4) + number_));
    } else if (keys_.ip_version == 6) {
        store_be16(&segment[network_offset_ + 4U],
                   static_cast<std::uint16_t>(segment.size() - network_offset_ - ipv6_bytes));
    }
    if (keys_.transport == 0) return;
    std::byte* transport = &segment[transport_offset_];
    if (keys_.transport == IPPROTO_UDP) {
        store_be16(transport + 4, static_cast<std::uint16_t>(segment.size() - transport_offset_));
    } else {
        const std::uint32_t sent = static_cast<std::uint32_t>(number_ * segment_bytes_);
        store_be32(transport + 4, load_be32(transport + 4) + sent);
        if (!last) transport[13] &= ~tcp_fin_psh;
        if (number_ != 0) transport[13] &= ~tcp_cwr;
    }
}

}  // namespace softnic
