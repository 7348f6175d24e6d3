// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "cable.hpp"
#include "completion_queue.hpp"
#include "counted.hpp"
#include "queue_account.hpp"
#include "receive_queue.hpp"
#include "send_queue.hpp"

#include <infiniband/verbs.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace softnic {

class device_context;
class port;

/// A frame on its way to a queue pair.
struct incoming_frame {
    std::span<const std::byte> bytes;
    unsigned flags = 0;  ///< ibv_wc_flags
    bool tagged = false;
    std::uint16_t vlan_tag = 0;
    std::uint32_t flow_tag = 0;
    const std::atomic<std::uint64_t>* intact = nullptr;
    std::uint64_t intact_value = 0;

    bool still_intact() const noexcept {
        return intact == nullptr || intact->load(std::memory_order_acquire) == intact_value;
    }
};

/// A RAW_PACKET queue pair; the user's `ibv_qp *` or `ibv_qp_ex *` is this object.
/// The state changes only under both mutexes of the port, receive before transmit.
class queue_pair : public ibv_qp_ex, private counted {
public:
    queue_pair(device_context& owner, port& attached, const ibv_qp_init_attr_ex& wanted, std::uint32_t number);
    ~queue_pair();

    /// Returns 0 or EINVAL; on EINVAL nothing has changed.
    int modify(const ibv_qp_attr& wanted, int mask);
    void query(ibv_qp_attr& attributes, ibv_qp_init_attr& initial) const noexcept;

    int post_receive(ibv_recv_wr* requests, ibv_recv_wr** bad) noexcept;
    int post_send(ibv_send_wr* requests, ibv_send_wr** bad);

    /// Under the receive mutex. False when the frame was not intact, and has left no trace.
    bool receive(const incoming_frame& frame) noexcept;
    /// Under the receive mutex: the queue pair breaks down, as a fault script or a broken completion queue wants.
    void break_down() noexcept;
    /// Under the transmit mutex. True when requests are left over because the cable has no room.
    bool transmit() noexcept;
    /// Under both mutexes: takes no more part in anything.
    void retire() noexcept;

    ibv_qp* handle() noexcept { return &qp_base; }
    static queue_pair& of(ibv_qp* qp) noexcept { return *static_cast<queue_pair*>(reinterpret_cast<ibv_qp_ex*>(qp)); }
    bool has_send_api() const noexcept { return send_operations_ != 0; }
    bool keeps_multicast_from_self() const noexcept { return keeps_multicast_from_self_; }
    completion_queue& receives() const noexcept { return completion_queue::of(qp_base.recv_cq); }
    completion_queue& sends() const noexcept { return completion_queue::of(qp_base.send_cq); }

    std::atomic<int> users{0};             ///< flow rules
    std::uint32_t async_events_taken = 0;  ///< under the mutex of the structure the user sees

private:
    friend struct send_api;

    bool receiving() const noexcept;
    void wait_for_buffer() noexcept;
    bool scatter(std::span<const ibv_sge> entries, const incoming_frame& frame) noexcept;
    void complete_receive(const receive_queue::request& request, const incoming_frame& frame, ibv_wc_status status);
    void fail_receive() noexcept;
    void flush_receives() noexcept;

    int check_send(const ibv_send_wr& request) const noexcept;
    int enqueue(const ibv_send_wr& request);
    void send_or_flush() noexcept;
    bool gather(const send_request& request, outgoing_frame& frame, ibv_wc_status& failure) const noexcept;
    bool transmit_run(bool& blocked) noexcept;
    bool transmit_segmented(send_request& request, bool& blocked);
    void complete_send(const send_request& request, ibv_wc_status status) noexcept;
    void flush_sends() noexcept;

    void enter(ibv_qp_state state) noexcept;
    void raise(ibv_event_type type) noexcept;

    device_context& owner_;
    port& port_;
    const ibv_qp_cap capacity_;
    const bool signal_all_;
    const std::uint64_t send_operations_;
    const bool keeps_multicast_from_self_;
    const bool strips_vlan_;
    std::atomic<int> state_{IBV_QPS_RESET};
    bool notify_when_drained_ = false;
    bool starved_ = true;  ///< frames came and went without a buffer; under the receive mutex
    std::shared_ptr<queue_account> account_;
    receive_queue receive_queue_;
    send_queue send_queue_;
    std::vector<std::byte> segmented_;  ///< a segmented send, put together

    // Between wr_start and wr_complete, under the transmit mutex.
    std::unique_lock<std::mutex> building_;
    std::uint32_t building_from_ = 0;
    int building_error_ = 0;
};

/// Fills the entry points of the extended send API.
void fill_send_api(queue_pair& pair) noexcept;

}  // namespace softnic
