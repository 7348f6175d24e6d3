// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/handle.hpp"

#include <atomic>
#include <cassert>
#include <cerrno>

namespace verbcast::verbs {
namespace {

std::atomic<std::uint64_t> without_device{0};

}  // namespace

void expect_destroyed(int error) noexcept {
    if (error == 0) return;
    // ibv_close_device says -1 and leaves the reason in errno.
    const int reason = error < 0 ? errno : error;
    assert((reason == EIO || reason == ENODEV) && "verbs object destroyed while another still uses it");
    if (reason == EIO || reason == ENODEV) without_device.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t destroys_without_device() noexcept { return without_device.load(std::memory_order_relaxed); }

int destroy_flow(ibv_flow* flow) noexcept { return ibv_destroy_flow(flow); }
int destroy_counters(ibv_counters* counters) noexcept { return ibv_destroy_counters(counters); }

}  // namespace verbcast::verbs
