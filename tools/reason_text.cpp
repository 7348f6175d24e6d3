// SPDX-License-Identifier: BSD-3-Clause
#include "reason_text.hpp"

namespace verbcast::tools {

std::string_view meaning(reject_reason reason) noexcept {
    switch (reason) {
    case reject_reason::too_short: return "shorter than a SPEAD header";
    case reject_reason::bad_magic: return "not SPEAD version 4";
    case reject_reason::bad_widths: return "impossible widths of ids and addresses";
    case reject_reason::pointers_cut: return "item pointers beyond the end of the packet";
    case reject_reason::special_missing: return "no heap cnt, payload offset or payload length";
    case reject_reason::payload_cut: return "payload beyond the end of the packet";
    case reject_reason::beyond_heap_length: return "payload beyond the end of the heap";
    case reject_reason::trailing_bytes: return "bytes behind the packet in its datagram";
    case reject_reason::unsized: return "no heap length, and unsized heaps are not wanted";
    case reject_reason::length_differs: return "another heap length than the packets before";
    case reject_reason::length_too_small: return "a heap length below what had come already";
    case reject_reason::widths_differ: return "another address width than the packets before";
    case reject_reason::start_missing: return "its heap's first packet did not come, or its heap is over";
    case reject_reason::out_of_sequence: return "not where the packet before it ended";
    case reject_reason::duplicate: return "all of it came before";
    case reject_reason::overlap: return "some of it came before";
    case reject_reason::heap_too_large: return "the heap claims more than --heap-bytes-max";
    case reject_reason::live_bytes_full: return "unfinished heaps hold all the memory they may";
    case reject_reason::too_many_pointers: return "the heap has too many item pointers";
    case reject_reason::too_many_ranges: return "the heap is in too many pieces";
    }
    return "";
}

std::string_view meaning(ignore_reason reason) noexcept {
    switch (reason) {
    case ignore_reason::empty: return "datagrams without a byte";
    case ignore_reason::after_stop: return "came after the stream's end";
    case ignore_reason::frame_cut: return "cut by the snap length of the capture";
    case ignore_reason::not_ip: return "neither IPv4 nor IPv6";
    case ignore_reason::not_udp: return "another protocol than UDP";
    case ignore_reason::fragment: return "pieces of fragmented packets";
    case ignore_reason::bad_frame: return "headers that contradict one another";
    case ignore_reason::not_ours: return "for another group or port";
    case ignore_reason::bad_checksum: return "checksum is wrong";
    case ignore_reason::too_long: return "longer than the NIC's buffers";
    }
    return "";
}

}  // namespace verbcast::tools
