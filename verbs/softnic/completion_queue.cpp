// SPDX-License-Identifier: BSD-3-Clause
#include "completion_queue.hpp"

#include "clock.hpp"
#include "context.hpp"
#include "library.hpp"

#include <bit>
#include <cerrno>

namespace softnic {
namespace {

std::size_t ring_entries(int entries) { return std::bit_ceil(static_cast<std::size_t>(entries)); }

}  // namespace

completion_queue::completion_queue(device_context& owner, const ibv_cq_init_attr_ex& wanted)
    : ibv_cq_ex{}, owner_(owner), reported_(wanted.wc_flags),
      ignore_overrun_((wanted.comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) != 0 &&
                      (wanted.flags & IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN) != 0),
      single_threaded_((wanted.comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) != 0 &&
                       (wanted.flags & IBV_CREATE_CQ_ATTR_SINGLE_THREADED) != 0),
      ring_(ring_entries(static_cast<int>(wanted.cqe))) {
    ibv_cq_ex::context = owner.handle();
    ibv_cq_ex::channel = wanted.channel;
    cq_context = wanted.cq_context;
    cqe = static_cast<int>(wanted.cqe);
    pthread_mutex_init(&mutex, nullptr);
    pthread_cond_init(&cond, nullptr);
    fill_iterator();
}

void completion_queue::stamp(completion& done) const noexcept {
    if ((reported_ & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP) != 0) done.timestamp_ns = device_clock_ns();
    if ((reported_ & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK) != 0) done.wall_ns = wall_clock_ns();
}

bool completion_queue::push(const completion& done) noexcept {
    const std::scoped_lock lock(producer_mutex_);
    if (broken_.load(std::memory_order_relaxed)) return false;
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) >= static_cast<std::uint64_t>(cqe)) {
        if (!ignore_overrun_) {
            break_down();
            return false;
        }
        drop_oldest();
    }
    at(head) = done;
    // Sequentially consistent against `armed_`: either this thread sees the request for notification, or whoever made
    // it sees the completion in the poll that has to follow.
    head_.store(head + 1);
    if (armed_.load() != not_armed) notify(done.status != IBV_WC_SUCCESS);
    return true;
}

void completion_queue::break_down() noexcept {
    broken_.store(true, std::memory_order_release);
    ibv_async_event event{};
    event.event_type = IBV_EVENT_CQ_ERR;
    event.element.cq = as_cq();
    owner_.async_events.push(event);
}

void completion_queue::fail() noexcept {
    const std::scoped_lock lock(producer_mutex_);
    if (!broken()) break_down();
}

void completion_queue::drop_oldest() noexcept {
    const std::scoped_lock lock(consumer_mutex_);
    if (head_.load() - tail_.load() >= static_cast<std::uint64_t>(cqe)) pop();
}

void completion_queue::notify(bool solicited) noexcept {
    int armed = armed_.load();
    if (armed == for_solicited && !solicited) return;
    if (!armed_.compare_exchange_strong(armed, not_armed) || armed == not_armed) return;
    if (channel != nullptr) completions_channel()->events.push(this);
}

void completion_queue::request_notification(bool solicited_only) noexcept {
    // A request for any completion is not weakened by a later one for solicited completions only.
    int armed = armed_.load();
    const int wanted = solicited_only ? for_solicited : for_any;
    while (armed < wanted && !armed_.compare_exchange_weak(armed, wanted)) {
    }
}

void completion_queue::pop() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const completion& done = at(tail);
    if (done.retired != nullptr) done.retired->fetch_add(done.requests, std::memory_order_release);
    tail_.store(tail + 1, std::memory_order_release);
}

int completion_queue::poll(int entries_max, ibv_wc* entries) noexcept {
    if (broken()) return -1;
    if (head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_relaxed)) {
        idle_polls_.give_way();
        return 0;
    }
    const std::scoped_lock lock(consumer_mutex_);
    int polled = 0;
    for (; polled < entries_max && tail_.load(std::memory_order_relaxed) != head_.load(std::memory_order_acquire);
         ++polled) {
        const completion& done = at(tail_.load(std::memory_order_relaxed));
        ibv_wc& entry = entries[polled];
        entry = {};
        entry.wr_id = done.request_id;
        entry.status = done.status;
        entry.opcode = done.opcode;
        entry.byte_len = done.bytes;
        entry.qp_num = done.queue_number;
        entry.wc_flags = done.flags;
        pop();
    }
    return polled;
}

int completion_queue::resize(int entries) {
    if (entries < 1 || entries > limits::completions_max) return EINVAL;
    std::vector<completion> resized(ring_entries(entries));
    const std::scoped_lock lock(producer_mutex_, consumer_mutex_);
    const std::uint64_t tail = tail_.load();
    const std::uint64_t head = head_.load();
    if (head - tail > static_cast<std::uint64_t>(entries)) return EINVAL;
    for (std::uint64_t position = tail; position != head; ++position) {
        resized[position & (resized.size() - 1)] = at(position);
    }
    ring_.swap(resized);
    cqe = entries;
    return 0;
}

void completion_queue::purge(std::uint32_t queue_number) noexcept {
    const std::scoped_lock lock(producer_mutex_, consumer_mutex_);
    std::uint64_t kept = tail_.load();
    for (std::uint64_t position = kept; position != head_.load(); ++position) {
        if (at(position).queue_number != queue_number) at(kept++) = at(position);
    }
    head_.store(kept);
}

// --- the iterator of extended queues ---

bool completion_queue::show_front() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (broken()) return false;
    if (tail == head_.load(std::memory_order_acquire)) {
        idle_polls_.give_way();
        return false;
    }
    current_ = at(tail);
    wr_id = current_.request_id;
    status = current_.status;
    pop();
    return true;
}

void completion_queue::fill_iterator() noexcept {
    start_poll = [](ibv_cq_ex* cq, ibv_poll_cq_attr* attributes) {
        completion_queue& self = of(cq);
        if (const int error = planned_failure("ibv_start_poll"); error != 0) return error;
        if (attributes != nullptr && attributes->comp_mask != 0) return EINVAL;
        // Held until end_poll, and only then if the user did not promise to be alone.
        if (!self.single_threaded_) self.consumer_mutex_.lock();
        if (self.show_front()) return 0;
        if (!self.single_threaded_) self.consumer_mutex_.unlock();
        return self.broken() ? EIO : ENOENT;
    };
    next_poll = [](ibv_cq_ex* cq) { return of(cq).show_front() ? 0 : (of(cq).broken() ? EIO : ENOENT); };
    end_poll = [](ibv_cq_ex* cq) {
        if (!of(cq).single_threaded_) of(cq).consumer_mutex_.unlock();
    };
    read_opcode = [](ibv_cq_ex* cq) { return of(cq).current_.opcode; };
    read_vendor_err = [](ibv_cq_ex*) { return std::uint32_t{0}; };
    read_byte_len = [](ibv_cq_ex* cq) { return of(cq).current_.bytes; };
    read_imm_data = [](ibv_cq_ex*) { return __be32{0}; };
    read_qp_num = [](ibv_cq_ex* cq) { return of(cq).current_.queue_number; };
    read_src_qp = [](ibv_cq_ex*) { return std::uint32_t{0}; };
    read_wc_flags = [](ibv_cq_ex* cq) { return of(cq).current_.flags; };
    read_slid = [](ibv_cq_ex*) { return std::uint32_t{0}; };
    read_sl = [](ibv_cq_ex*) { return std::uint8_t{0}; };
    read_dlid_path_bits = [](ibv_cq_ex*) { return std::uint8_t{0}; };
    read_completion_ts = [](ibv_cq_ex* cq) { return of(cq).current_.timestamp_ns; };
    read_cvlan = [](ibv_cq_ex* cq) { return of(cq).current_.vlan_tag; };
    read_flow_tag = [](ibv_cq_ex* cq) { return of(cq).current_.flow_tag; };
    read_completion_wallclock_ns = [](ibv_cq_ex* cq) { return of(cq).current_.wall_ns; };
}

}  // namespace softnic
