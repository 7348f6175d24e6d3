// SPDX-License-Identifier: BSD-3-Clause
#include "library.hpp"
#include "port.hpp"
#include "queue_pair.hpp"

#include <cerrno>

namespace softnic {

/// The extended send API: requests are put together in the send queue itself, between wr_start and wr_complete.
struct send_api {
    static queue_pair& of(ibv_qp_ex* pair) noexcept { return *static_cast<queue_pair*>(pair); }

    static void start(ibv_qp_ex* pair) {
        queue_pair& self = of(pair);
        const int planned = planned_failure("ibv_wr_start");
        // Held until wr_complete or wr_abort, as the lock of a hardware send queue is.
        self.building_ = std::unique_lock(self.port_.transmit_mutex);
        self.building_from_ = self.send_queue_.posted();
        self.building_error_ = planned;
    }

    static void begin(ibv_qp_ex* pair, ibv_wr_opcode opcode, void* header, std::uint16_t header_bytes,
                      std::uint16_t segment_bytes) {
        queue_pair& self = of(pair);
        ibv_send_wr request{};
        request.wr_id = pair->wr_id;
        request.opcode = opcode;
        request.send_flags = pair->wr_flags & ~static_cast<unsigned>(IBV_SEND_INLINE);
        request.tso.hdr = header;
        request.tso.hdr_sz = header_bytes;
        request.tso.mss = segment_bytes;
        if (self.building_error_ == 0) self.building_error_ = self.check_send(request);
        if (self.building_error_ == 0) self.building_error_ = self.enqueue(request);
    }

    static send_request* last(queue_pair& self) noexcept {
        if (self.building_error_ != 0 || self.send_queue_.posted() == self.building_from_) return nullptr;
        return &self.send_queue_.peek(self.send_queue_.pending() - 1);
    }

    static void set_entries(ibv_qp_ex* pair, std::size_t number, const ibv_sge* entries) {
        queue_pair& self = of(pair);
        send_request* request = last(self);
        if (request == nullptr) return;
        if (number > self.capacity_.max_send_sge) {
            self.building_error_ = EINVAL;
        } else {
            request->entries.assign(entries, entries + number);
        }
    }

    static void set_entry(ibv_qp_ex* pair, std::uint32_t lkey, std::uint64_t addr, std::uint32_t length) {
        const ibv_sge entry{.addr = addr, .length = length, .lkey = lkey};
        set_entries(pair, 1, &entry);
    }

    static void set_inline_list(ibv_qp_ex* pair, std::size_t number, const ibv_data_buf* buffers) {
        queue_pair& self = of(pair);
        send_request* request = last(self);
        if (request == nullptr) return;
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < number; ++i) bytes += buffers[i].length;
        if (bytes > self.capacity_.max_inline_data) {
            self.building_error_ = EINVAL;
            return;
        }
        for (std::size_t i = 0; i < number; ++i) {
            const auto* data = static_cast<const std::byte*>(buffers[i].addr);
            request->inlined.insert(request->inlined.end(), data, data + buffers[i].length);
        }
    }

    static void set_inline(ibv_qp_ex* pair, void* data, std::size_t bytes) {
        const ibv_data_buf buffer{.addr = data, .length = bytes};
        set_inline_list(pair, 1, &buffer);
    }

    static int complete(ibv_qp_ex* pair) {
        queue_pair& self = of(pair);
        const int error = self.building_error_;
        if (error != 0) {
            self.send_queue_.rewind(self.building_from_);  // all or nothing
        } else {
            self.send_or_flush();
        }
        self.building_.unlock();
        return error;
    }

    static void abort(ibv_qp_ex* pair) {
        queue_pair& self = of(pair);
        self.send_queue_.rewind(self.building_from_);
        self.building_.unlock();
    }

    /// A request that a raw queue pair cannot make. It is reported by wr_complete.
    static void refuse(ibv_qp_ex* pair) noexcept { of(pair).building_error_ = EINVAL; }
};

void fill_send_api(queue_pair& pair) noexcept {
    using api = send_api;
    pair.wr_start = api::start;
    pair.wr_complete = api::complete;
    pair.wr_abort = api::abort;
    pair.wr_send = [](ibv_qp_ex* qp) { api::begin(qp, IBV_WR_SEND, nullptr, 0, 0); };
    pair.wr_send_tso = [](ibv_qp_ex* qp, void* header, std::uint16_t header_bytes, std::uint16_t segment_bytes) {
        api::begin(qp, IBV_WR_TSO, header, header_bytes, segment_bytes);
    };
    pair.wr_set_sge = api::set_entry;
    pair.wr_set_sge_list = api::set_entries;
    pair.wr_set_inline_data = api::set_inline;
    pair.wr_set_inline_data_list = api::set_inline_list;
    pair.wr_atomic_cmp_swp = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t, std::uint64_t, std::uint64_t) {
        api::refuse(qp);
    };
    pair.wr_atomic_fetch_add = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t, std::uint64_t) { api::refuse(qp); };
    pair.wr_bind_mw = [](ibv_qp_ex* qp, ibv_mw*, std::uint32_t, const ibv_mw_bind_info*) { api::refuse(qp); };
    pair.wr_local_inv = [](ibv_qp_ex* qp, std::uint32_t) { api::refuse(qp); };
    pair.wr_rdma_read = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t) { api::refuse(qp); };
    pair.wr_rdma_write = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t) { api::refuse(qp); };
    pair.wr_rdma_write_imm = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t, __be32) { api::refuse(qp); };
    pair.wr_send_imm = [](ibv_qp_ex* qp, __be32) { api::refuse(qp); };
    pair.wr_send_inv = [](ibv_qp_ex* qp, std::uint32_t) { api::refuse(qp); };
    pair.wr_set_ud_addr = [](ibv_qp_ex* qp, ibv_ah*, std::uint32_t, std::uint32_t) { api::refuse(qp); };
    pair.wr_set_xrc_srqn = [](ibv_qp_ex* qp, std::uint32_t) { api::refuse(qp); };
    pair.wr_atomic_write = [](ibv_qp_ex* qp, std::uint32_t, std::uint64_t, const void*) { api::refuse(qp); };
}

}  // namespace softnic
