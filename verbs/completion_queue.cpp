// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/completion_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

void stop_blocking(int descriptor, const device& owner) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0)
        throw_verbs_error(errno, "fcntl(O_NONBLOCK) of a completion channel", owner.name());
}

/// One thread polls; and the time a frame arrived on the clock of this host, as mlx5 has it.
ibv_cq_init_attr_ex extended_attributes(const completion_queue_options& options, ibv_comp_channel* channel) {
    ibv_cq_init_attr_ex wanted{};
    wanted.cqe = static_cast<std::uint32_t>(options.entries);
    wanted.channel = channel;
    wanted.comp_vector = static_cast<std::uint32_t>(options.vector);
    wanted.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
    wanted.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
    wanted.flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED;
    return wanted;
}

slot_status status_of(ibv_wc_status status) noexcept {
    switch (status) {
    case IBV_WC_SUCCESS: return slot_status::received;
    case IBV_WC_LOC_LEN_ERR: return slot_status::too_long;
    case IBV_WC_WR_FLUSH_ERR: return slot_status::flushed;
    default: return slot_status::failed;
    }
}

}  // namespace

completion_queue::completion_queue(const device& owner, const completion_queue_options& options) {
    if (options.events) {
        channel_.reset(ibv_create_comp_channel(owner.get()));
        if (!channel_) throw_verbs_error(errno, "ibv_create_comp_channel", owner.name());
        stop_blocking(channel_->fd, owner);
    }
    if (options.timestamps && owner.can().timestamps) {
        ibv_cq_init_attr_ex wanted = extended_attributes(options, channel_.get());
        extended_ = ibv_create_cq_ex(owner.get(), &wanted);
        if (extended_ != nullptr) queue_.reset(ibv_cq_ex_to_cq(extended_));
    }
    if (queue_) return;
    queue_.reset(
        ibv_create_cq(owner.get(), static_cast<int>(options.entries), nullptr, channel_.get(), options.vector));
    if (!queue_)
        throw_verbs_error(errno, "ibv_create_cq(" + std::to_string(options.entries) + " entries)", owner.name());
}

completion_queue::~completion_queue() {
    if (channel_) consume_events();
}

int completion_queue::poll(std::span<completion> out) noexcept {
    return extended_ != nullptr ? poll_extended(out) : poll_plain(out);
}

int completion_queue::poll_plain(std::span<completion> out) noexcept {
    constexpr std::size_t batch_max = 64;
    std::array<ibv_wc, batch_max> taken;
    const int count = ibv_poll_cq(queue_.get(), static_cast<int>(std::min(out.size(), batch_max)), taken.data());
    for (int i = 0; i < count; ++i) {
        const ibv_wc& from = taken[static_cast<std::size_t>(i)];
        out[static_cast<std::size_t>(i)] = {.slot = from.wr_id,
                                            .bytes = from.byte_len,
                                            .status = status_of(from.status),
                                            .checksums_good = (from.wc_flags & IBV_WC_IP_CSUM_OK) != 0,
                                            .has_grh = (from.wc_flags & IBV_WC_GRH) != 0};
    }
    return count;
}

int completion_queue::poll_extended(std::span<completion> out) noexcept {
    ibv_poll_cq_attr none{};
    int state = ibv_start_poll(extended_, &none);
    if (state == ENOENT) return 0;
    if (state != 0) return -state;
    int count = 0;
    for (;;) {
        completion& to = out[static_cast<std::size_t>(count++)];
        to = {.slot = extended_->wr_id, .status = status_of(extended_->status)};
        if (to.status == slot_status::received) {
            const unsigned flags = ibv_wc_read_wc_flags(extended_);
            to.bytes = ibv_wc_read_byte_len(extended_);
            to.time_ns = ibv_wc_read_completion_wallclock_ns(extended_);
            to.checksums_good = (flags & IBV_WC_IP_CSUM_OK) != 0;
            to.has_grh = (flags & IBV_WC_GRH) != 0;
        }
        if (static_cast<std::size_t>(count) == out.size()) break;
        state = ibv_next_poll(extended_);
        if (state != 0) break;
    }
    ibv_end_poll(extended_);
    return state == 0 || state == ENOENT || count > 0 ? count : -state;
}

int completion_queue::arm() noexcept { return ibv_req_notify_cq(queue_.get(), 0); }

void completion_queue::consume_events() noexcept {
    unsigned taken = 0;
    ibv_cq* of = nullptr;
    void* context = nullptr;
    while (ibv_get_cq_event(channel_.get(), &of, &context) == 0) ++taken;
    if (taken != 0) ibv_ack_cq_events(queue_.get(), taken);
}

}  // namespace verbcast::verbs
