// SPDX-License-Identifier: BSD-3-Clause
#include "queue_pair.hpp"

#include "context.hpp"
#include "port.hpp"
#include "queue_pair_states.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace softnic {
namespace {

std::uint32_t create_flags(const ibv_qp_init_attr_ex& wanted) {
    return (wanted.comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS) != 0 ? wanted.create_flags : 0;
}

}  // namespace

queue_pair::queue_pair(device_context& owner, port& attached, const ibv_qp_init_attr_ex& wanted, std::uint32_t number)
    : ibv_qp_ex{}, owner_(owner), port_(attached), capacity_(wanted.cap), signal_all_(wanted.sq_sig_all != 0),
      send_operations_((wanted.comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) != 0 ? wanted.send_ops_flags : 0),
      keeps_multicast_from_self_((create_flags(wanted) & IBV_QP_CREATE_BLOCK_SELF_MCAST_LB) != 0),
      strips_vlan_((create_flags(wanted) & IBV_QP_CREATE_CVLAN_STRIPPING) != 0),
      account_(attached.open_account(number)), receive_queue_(wanted.cap.max_recv_wr, wanted.cap.max_recv_sge),
      send_queue_(wanted.cap.max_send_wr) {
    qp_base.context = owner.handle();
    qp_base.qp_context = wanted.qp_context;
    qp_base.pd = wanted.pd;
    qp_base.send_cq = wanted.send_cq;
    qp_base.recv_cq = wanted.recv_cq;
    qp_base.qp_num = qp_base.handle = number;
    qp_base.qp_type = wanted.qp_type;
    pthread_mutex_init(&qp_base.mutex, nullptr);
    pthread_cond_init(&qp_base.cond, nullptr);
    fill_send_api(*this);
}

queue_pair::~queue_pair() {
    port_.close_account(account_);
    pthread_cond_destroy(&qp_base.cond);
    pthread_mutex_destroy(&qp_base.mutex);
}

int queue_pair::modify(const ibv_qp_attr& wanted, int mask) {
    const std::scoped_lock receive_lock(port_.receive_mutex);
    const std::scoped_lock transmit_lock(port_.transmit_mutex);
    const auto from = static_cast<ibv_qp_state>(state_.load());
    const ibv_qp_state to = (mask & IBV_QP_STATE) != 0 ? wanted.qp_state : from;
    if ((mask & IBV_QP_CUR_STATE) != 0 && wanted.cur_qp_state != from) return EINVAL;
    if (!transition_allowed(from, to, mask)) return EINVAL;
    if ((mask & IBV_QP_PORT) != 0 && wanted.port_num != limits::port) return EINVAL;
    if ((mask & IBV_QP_EN_SQD_ASYNC_NOTIFY) != 0) notify_when_drained_ = wanted.en_sqd_async_notify != 0;
    enter(to);
    // Requests are sent while they are posted, so a send queue drains at once.
    if (from == IBV_QPS_RTS && to == IBV_QPS_SQD && notify_when_drained_) raise(IBV_EVENT_SQ_DRAINED);
    qp_base.state = to;
    return 0;
}

void queue_pair::enter(ibv_qp_state state) noexcept {
    // Sequentially consistent against the posting of a receive request: see post_receive.
    state_.store(state);
    if (state == IBV_QPS_RESET) {
        receive_queue_.reset();
        send_queue_.reset();
        receives().purge(qp_base.qp_num);
        sends().purge(qp_base.qp_num);
    }
    if (state == IBV_QPS_ERR) flush_receives();
    if (state == IBV_QPS_ERR || state == IBV_QPS_SQE) flush_sends();
    if (state == IBV_QPS_RTS) port_.transmit(*this);
}

void queue_pair::retire() noexcept {
    enter(IBV_QPS_RESET);
    port_.forget(*this);
}

void queue_pair::raise(ibv_event_type type) noexcept {
    ibv_async_event event{};
    event.event_type = type;
    event.element.qp = &qp_base;
    owner_.async_events.push(event);
}

void queue_pair::break_down() noexcept {
    if (state_.load() == IBV_QPS_ERR || state_.load() == IBV_QPS_RESET) return;
    const std::scoped_lock transmit_lock(port_.transmit_mutex);
    enter(IBV_QPS_ERR);
    raise(IBV_EVENT_QP_FATAL);
}

void queue_pair::query(ibv_qp_attr& attributes, ibv_qp_init_attr& initial) const noexcept {
    attributes = {};
    attributes.qp_state = attributes.cur_qp_state = static_cast<ibv_qp_state>(state_.load());
    attributes.cap = capacity_;
    attributes.port_num = limits::port;
    initial = {};
    initial.qp_context = qp_base.qp_context;
    initial.send_cq = qp_base.send_cq;
    initial.recv_cq = qp_base.recv_cq;
    initial.cap = capacity_;
    initial.qp_type = qp_base.qp_type;
    initial.sq_sig_all = signal_all_ ? 1 : 0;
}

// --- receiving ---

int queue_pair::post_receive(ibv_recv_wr* requests, ibv_recv_wr** bad) noexcept {
    int error = state_.load() == IBV_QPS_RESET ? EINVAL : 0;
    for (; requests != nullptr && error == 0; requests = error == 0 ? requests->next : requests) {
        error = receive_queue_.post(*requests);
    }
    if (error != 0) *bad = requests;
    // The queue pair may have broken down since the first look, and its flush may have missed these requests.
    if (state_.load() == IBV_QPS_ERR) {
        const std::scoped_lock lock(port_.receive_mutex);
        if (state_.load() == IBV_QPS_ERR) flush_receives();
    }
    return error;
}

bool queue_pair::receiving() const noexcept {
    const int state = state_.load(std::memory_order_relaxed);
    return state == IBV_QPS_RTR || state == IBV_QPS_RTS || state == IBV_QPS_SQD || state == IBV_QPS_SQE;
}

/// A NIC keeps frames in its own memory for some microseconds before it drops them, and meanwhile the program runs;
/// here it may need the core. Once that was in vain, frames are dropped at once until there is a buffer again.
void queue_pair::wait_for_buffer() noexcept {
    constexpr std::chrono::milliseconds patience{2};  // long enough for a busy machine to put the program on
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!starved_ && receive_queue_.empty()) {
        ::sched_yield();
        starved_ = receive_queue_.empty() && std::chrono::steady_clock::now() >= until;
    }
}

bool queue_pair::receive(const incoming_frame& frame) noexcept {
    if (receiving() && receive_queue_.empty() && !starved_) wait_for_buffer();
    starved_ = starved_ && receive_queue_.empty();
    if (!receiving() || receive_queue_.empty()) {
        if (!frame.still_intact()) return false;
        count(account_->matched);
        count(receiving() ? account_->no_buffer : account_->not_receiving);
        return true;
    }
    const receive_queue::request request = receive_queue_.front();
    const std::size_t frame_bytes = frame.bytes.size() - (frame.tagged && strips_vlan_ ? 4 : 0);
    std::size_t room_bytes = 0;
    for (const ibv_sge& entry : request.entries) room_bytes += entry.length;
    ibv_wc_status status = IBV_WC_SUCCESS;
    if (room_bytes < frame_bytes) {
        status = IBV_WC_LOC_LEN_ERR;
    } else if (!scatter(request.entries, frame)) {
        status = IBV_WC_LOC_PROT_ERR;
    }
    if (!frame.still_intact()) return false;
    receive_queue_.pop();
    complete_receive(request, frame, status);
    return true;
}

bool queue_pair::scatter(std::span<const ibv_sge> entries, const incoming_frame& frame) noexcept {
    constexpr std::size_t addresses_bytes = 12;
    constexpr std::size_t tag_bytes = 4;
    const bool strip = frame.tagged && strips_vlan_;
    std::span<const std::byte> piece = strip ? frame.bytes.first(addresses_bytes) : frame.bytes;
    std::span<const std::byte> rest = strip ? frame.bytes.subspan(addresses_bytes + tag_bytes) : piece.last(0);
    for (const ibv_sge& entry : entries) {
        if (piece.empty()) break;
        std::byte* to = port_.memory.resolve(entry, qp_base.pd, IBV_ACCESS_LOCAL_WRITE);
        if (to == nullptr) return false;
        std::size_t room = entry.length;
        while (room != 0 && !piece.empty()) {
            const std::size_t bytes = std::min(room, piece.size());
            std::memcpy(to, piece.data(), bytes);
            to += bytes;
            room -= bytes;
            piece = piece.subspan(bytes);
            if (piece.empty()) piece = std::exchange(rest, {});
        }
    }
    return true;
}

void queue_pair::complete_receive(const receive_queue::request& request, const incoming_frame& frame,
                                  ibv_wc_status status) {
    completion done;
    done.request_id = request.id;
    done.status = status;
    done.opcode = IBV_WC_RECV;
    done.bytes = static_cast<std::uint32_t>(frame.bytes.size() - (frame.tagged && strips_vlan_ ? 4 : 0));
    done.queue_number = qp_base.qp_num;
    done.flags = frame.flags;
    done.flow_tag = frame.flow_tag;
    done.vlan_tag = strips_vlan_ ? frame.vlan_tag : 0;
    done.retired = &receive_queue_.retired;
    receives().stamp(done);
    count(account_->matched);
    if (!receives().push(done)) {
        count(account_->overrun);
        break_down();
    } else if (status == IBV_WC_LOC_PROT_ERR) {
        count(account_->protection_error);
        const std::scoped_lock transmit_lock(port_.transmit_mutex);
        enter(IBV_QPS_ERR);
    } else {
        count(status == IBV_WC_SUCCESS ? account_->delivered : account_->length_error);
    }
}

void queue_pair::flush_receives() noexcept {
    for (; !receive_queue_.empty(); receive_queue_.pop()) {
        completion done;
        done.request_id = receive_queue_.front().id;
        done.status = IBV_WC_WR_FLUSH_ERR;
        done.opcode = IBV_WC_RECV;
        done.queue_number = qp_base.qp_num;
        done.retired = &receive_queue_.retired;
        receives().push(done);
    }
}

}  // namespace softnic
