// SPDX-License-Identifier: BSD-3-Clause
/// One owner for every object of libibverbs.
#pragma once

#include <cstdint>
#include <memory>

#include <infiniband/verbs.h>

namespace verbcast::verbs {

/// Asserts that an object could be destroyed. EIO and ENODEV say that its device is gone: those are counted.
void expect_destroyed(int error) noexcept;
/// Objects of this process that could not be destroyed because their device was gone. Any thread.
std::uint64_t destroys_without_device() noexcept;

template <auto Destroy>
struct destroyer {
    template <class T>
    void operator()(T* object) const noexcept {
        expect_destroyed(Destroy(object));
    }
};
template <class T, auto Destroy>
using handle = std::unique_ptr<T, destroyer<Destroy>>;

// Inline in <infiniband/verbs.h>: not to be named as template arguments from several files.
int destroy_flow(ibv_flow* flow) noexcept;
int destroy_counters(ibv_counters* counters) noexcept;

using device_context = handle<ibv_context, ibv_close_device>;
using protection_domain = handle<ibv_pd, ibv_dealloc_pd>;
using memory_region = handle<ibv_mr, ibv_dereg_mr>;
using completion_channel = handle<ibv_comp_channel, ibv_destroy_comp_channel>;
using completion_queue_handle = handle<ibv_cq, ibv_destroy_cq>;
using queue_pair = handle<ibv_qp, ibv_destroy_qp>;
using flow_counters = handle<ibv_counters, destroy_counters>;
using flow_handle = handle<ibv_flow, destroy_flow>;

// A deleter without state costs nothing.
static_assert(sizeof(queue_pair) == sizeof(void*));

}  // namespace verbcast::verbs
