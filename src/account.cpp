// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/account.hpp>

namespace verbcast {
namespace {

constexpr std::array<std::string_view, reject_reason_count> reject_names = {
    "too_short",        "bad_magic",          "bad_widths",      "pointers_cut",      "special_missing",
    "payload_cut",      "beyond_heap_length", "trailing_bytes",  "unsized",           "length_differs",
    "length_too_small", "widths_differ",      "start_missing",   "out_of_sequence",   "duplicate",
    "overlap",          "heap_too_large",     "live_bytes_full", "too_many_pointers", "too_many_ranges",
};
static_assert(static_cast<std::size_t>(reject_reason::too_many_ranges) + 1 == reject_reason_count);

constexpr std::array<std::string_view, ignore_reason_count> ignore_names = {
    "empty",    "after_stop", "frame_cut", "not_ip",       "not_udp",
    "fragment", "bad_frame",  "not_ours",  "bad_checksum", "too_long",
};
static_assert(static_cast<std::size_t>(ignore_reason::too_long) + 1 == ignore_reason_count);

}  // namespace

std::string_view name(reject_reason reason) noexcept { return reject_names[static_cast<std::size_t>(reason)]; }
std::string_view name(ignore_reason reason) noexcept { return ignore_names[static_cast<std::size_t>(reason)]; }

bool packet_account::balanced() const noexcept {
    return received == ignored.total() + rejected.total() + stop_heap + live + in_ring + delivered_complete +
                           delivered_incomplete + dropped_ring_full + dropped_incomplete + dropped_user_stop +
                           dropped_error;
}

}  // namespace verbcast
