// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frame_keys.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace softnic {

/// Cuts a frame that is larger than the network's into the frames that segmentation offload would have sent: the
/// headers are repeated, and lengths, IPv4 identification, TCP sequence number and flags are adjusted. Checksums are
/// left open: finish_checksums completes each. `frame` stays the caller's.
class segmenter {
public:
    segmenter(std::span<const std::byte> frame, std::size_t header_bytes, std::size_t segment_bytes);

    /// Puts the next frame into `segment`. False when there are no more.
    bool next(std::vector<std::byte>& segment);

private:
    void adjust(std::span<std::byte> segment, bool last) const noexcept;

    std::span<const std::byte> frame_;
    std::size_t header_bytes_;
    std::size_t segment_bytes_;
    std::size_t at_;
    std::uint16_t number_ = 0;
    std::uint16_t network_offset_ = 0;
    std::uint16_t transport_offset_ = 0;
    frame_keys keys_{};
};

}  // namespace softnic
