// SPDX-License-Identifier: BSD-3-Clause
#include "limits.hpp"
#include "port.hpp"
#include "queue_pair.hpp"
#include "segmentation.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace softnic {
namespace {

constexpr std::size_t batch_frames_max = 16;
constexpr std::size_t frame_bytes_min = 14;

}  // namespace

int queue_pair::post_send(ibv_send_wr* requests, ibv_send_wr** bad) {
    const std::scoped_lock lock(port_.transmit_mutex);
    int error = 0;
    for (; requests != nullptr; requests = requests->next) {
        error = check_send(*requests);
        if (error == 0) error = enqueue(*requests);
        if (error != 0) {
            *bad = requests;
            break;
        }
    }
    send_or_flush();
    return error;
}

int queue_pair::check_send(const ibv_send_wr& request) const noexcept {
    const int state = state_.load(std::memory_order_relaxed);
    if (state == IBV_QPS_RESET || state == IBV_QPS_INIT || state == IBV_QPS_RTR) return EINVAL;
    if (request.opcode != IBV_WR_SEND && request.opcode != IBV_WR_TSO) return EINVAL;
    if (request.num_sge < 0 || static_cast<std::uint32_t>(request.num_sge) > capacity_.max_send_sge) return EINVAL;
    if (request.opcode == IBV_WR_TSO && (request.tso.mss == 0 || request.tso.hdr_sz < frame_bytes_min)) return EINVAL;
    return send_queue_.full() ? ENOMEM : 0;
}

int queue_pair::enqueue(const ibv_send_wr& request) {
    send_request& place = send_queue_.back();
    place.id = request.wr_id;
    place.opcode = request.opcode;
    place.flags = request.send_flags;
    place.segment_bytes = 0;
    place.segments_sent = 0;
    place.inlined.clear();
    place.entries.clear();
    const std::span<const ibv_sge> entries(request.sg_list, static_cast<std::size_t>(request.num_sge));
    if (request.opcode == IBV_WR_TSO) {
        const auto* header = static_cast<const std::byte*>(request.tso.hdr);
        place.inlined.assign(header, header + request.tso.hdr_sz);
        place.segment_bytes = request.tso.mss;
        place.entries.assign(entries.begin(), entries.end());
    } else if ((request.send_flags & IBV_SEND_INLINE) != 0) {
        std::size_t bytes = 0;
        for (const ibv_sge& entry : entries) bytes += entry.length;
        if (bytes > capacity_.max_inline_data) return EINVAL;
        for (const ibv_sge& entry : entries) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): the interface has addresses as numbers
            const auto* data = reinterpret_cast<const std::byte*>(entry.addr);
            place.inlined.insert(place.inlined.end(), data, data + entry.length);
        }
    } else {
        place.entries.assign(entries.begin(), entries.end());
    }
    send_queue_.push();
    return 0;
}

void queue_pair::send_or_flush() noexcept {
    const int state = state_.load(std::memory_order_relaxed);
    if (state == IBV_QPS_RTS) port_.transmit(*this);
    if (state == IBV_QPS_ERR || state == IBV_QPS_SQE) flush_sends();
}

bool queue_pair::gather(const send_request& request, outgoing_frame& frame, ibv_wc_status& failure) const noexcept {
    frame.pieces_used = 0;
    frame.bytes = 0;
    const auto add = [&](const void* data, std::size_t bytes) {
        frame.pieces[frame.pieces_used++] = {const_cast<void*>(data), bytes};
        frame.bytes += static_cast<std::uint32_t>(bytes);
    };
    if (!request.inlined.empty()) add(request.inlined.data(), request.inlined.size());
    for (const ibv_sge& entry : request.entries) {
        const std::byte* data = port_.memory.resolve(entry, qp_base.pd, 0);
        if (data == nullptr) {
            failure = IBV_WC_LOC_PROT_ERR;
            return false;
        }
        if (entry.length != 0) add(data, entry.length);
    }
    const std::size_t frame_bytes_max =
        request.opcode == IBV_WR_TSO ? limits::segmentation_bytes_max : port_.frame_bytes_max();
    if (frame.bytes < frame_bytes_min || frame.bytes > frame_bytes_max) {
        failure = IBV_WC_LOC_LEN_ERR;
        return false;
    }
    frame.finish_checksums = (request.flags & IBV_SEND_IP_CSUM) != 0;
    const bool multicast = (*static_cast<const std::uint8_t*>(frame.pieces[0].iov_base) & 1) != 0;
    frame.keep_from_self = multicast && keeps_multicast_from_self_;
    return true;
}

bool queue_pair::transmit() noexcept {
    bool blocked = false;
    while (!blocked && send_queue_.pending() != 0 && state_.load(std::memory_order_relaxed) == IBV_QPS_RTS) {
        send_request& next = send_queue_.peek(0);
        const bool sent = next.opcode == IBV_WR_TSO ? transmit_segmented(next, blocked) : transmit_run(blocked);
        if (!sent) {
            // A datagram queue pair whose request fails goes to SQE; it can be brought back to RTS.
            state_.store(IBV_QPS_SQE);
            flush_sends();
        }
    }
    return blocked;
}

/// Sends the plain requests at the front, a batch at most. False when one of them has failed.
bool queue_pair::transmit_run(bool& blocked) noexcept {
    std::array<outgoing_frame, batch_frames_max> frames;
    const auto limit = std::min<std::size_t>(batch_frames_max, send_queue_.pending());
    std::size_t gathered = 0;
    ibv_wc_status failure = IBV_WC_SUCCESS;
    for (; gathered < limit; ++gathered) {
        const send_request& request = send_queue_.peek(static_cast<std::uint32_t>(gathered));
        if (request.opcode == IBV_WR_TSO || !gather(request, frames[gathered], failure)) break;
    }
    const std::size_t sent = port_.send({frames.data(), gathered});
    for (std::size_t i = 0; i < sent; ++i) complete_send(send_queue_.peek(0), IBV_WC_SUCCESS);
    blocked = sent < gathered;
    if (blocked || failure == IBV_WC_SUCCESS) return true;
    complete_send(send_queue_.peek(0), failure);
    return false;
}

bool queue_pair::transmit_segmented(send_request& request, bool& blocked) {
    outgoing_frame whole;
    ibv_wc_status failure = IBV_WC_SUCCESS;
    if (!gather(request, whole, failure)) {
        complete_send(request, failure);
        return false;
    }
    segmented_.resize(whole.bytes);
    std::byte* to = segmented_.data();
    for (std::uint32_t i = 0; i < whole.pieces_used; ++i) {
        std::memcpy(to, whole.pieces[i].iov_base, whole.pieces[i].iov_len);
        to += whole.pieces[i].iov_len;
    }
    segmenter segments(segmented_, request.inlined.size(), request.segment_bytes);
    std::vector<std::byte> segment;
    for (std::uint32_t number = 0; segments.next(segment); ++number) {
        if (number < request.segments_sent) continue;  // sent before the cable ran out of room
        outgoing_frame frame;
        frame.pieces[0] = {segment.data(), segment.size()};
        frame.pieces_used = 1;
        frame.bytes = static_cast<std::uint32_t>(segment.size());
        frame.finish_checksums = true;
        frame.keep_from_self = whole.keep_from_self;
        if (frame.bytes > port_.frame_bytes_max()) {
            complete_send(request, IBV_WC_LOC_LEN_ERR);
            return false;
        }
        if (port_.send({&frame, 1}) == 0) {
            blocked = true;
            return true;
        }
        ++request.segments_sent;
    }
    complete_send(request, IBV_WC_SUCCESS);
    return true;
}

void queue_pair::complete_send(const send_request& request, ibv_wc_status status) noexcept {
    const bool wanted = signal_all_ || (request.flags & IBV_SEND_SIGNALED) != 0 || status != IBV_WC_SUCCESS;
    if (wanted) {
        completion done;
        done.request_id = request.id;
        done.status = status;
        done.opcode = request.opcode == IBV_WR_TSO ? IBV_WC_TSO : IBV_WC_SEND;
        done.queue_number = qp_base.qp_num;
        done.requests = send_queue_.cover();
        done.retired = &send_queue_.retired;
        sends().stamp(done);
        if (!sends().push(done) && state_.exchange(IBV_QPS_ERR) != IBV_QPS_ERR) raise(IBV_EVENT_QP_FATAL);
    }
    send_queue_.pop();
}

void queue_pair::flush_sends() noexcept {
    while (send_queue_.pending() != 0) complete_send(send_queue_.peek(0), IBV_WC_WR_FLUSH_ERR);
}

}  // namespace softnic
