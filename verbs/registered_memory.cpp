// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/registered_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "verbs/os_error.hpp"
#include "verbs/privilege.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast::verbs {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
/// A device that refuses regions of this size is out of something else.
constexpr std::size_t region_bytes_least = std::size_t{16} << 20;

std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

std::byte* map(std::size_t bytes) {
    constexpr int protection = PROT_READ | PROT_WRITE;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    void* pages = ::mmap(nullptr, bytes, protection, flags | MAP_HUGETLB, -1, 0);
    if (pages == MAP_FAILED) {  // none are reserved
        pages = ::mmap(nullptr, bytes, protection, flags, -1, 0);
        if (pages == MAP_FAILED)
            throw os_error(errno, "mmap(" + std::to_string(bytes) + " bytes)", "ask for a smaller buffer");
        ::madvise(pages, bytes, MADV_HUGEPAGE);  // transparent ones, where the kernel has them
    }
    // fork() would otherwise take pages away from under the device.
    ::madvise(pages, bytes, MADV_DONTFORK);
    return static_cast<std::byte*>(pages);
}

/// Before the first touch; a wish, since a node may be full, or not be this process's.
void prefer_node(std::byte* pages, std::size_t bytes, unsigned node) noexcept {
    constexpr unsigned nodes_max = std::numeric_limits<unsigned long>::digits;
    if (node >= nodes_max) return;
    const unsigned long mask = 1UL << node;
    static_cast<void>(::syscall(SYS_mbind, pages, bytes, MPOL_PREFERRED, &mask, nodes_max, 0));
}

void check_locked_memory(const device& owner, std::size_t bytes, int error) {
    const auto shortage = locked_memory_shortage(read_locked_memory(), bytes);
    if (!shortage) return;
    throw os_error(error, "ibv_reg_mr(" + std::to_string(bytes) + " bytes) on " + owner.name(), *shortage);
}

}  // namespace

registered_memory::mapping::mapping(std::size_t bytes, std::optional<unsigned> numa_node)
    : data_(map(round_up(bytes, huge_page_bytes))), bytes_(round_up(bytes, huge_page_bytes)) {
    if (numa_node) prefer_node(data_, bytes_, *numa_node);
    // Now rather than under the first frames: a kernel's device does it when the memory is registered, others do not.
    ::madvise(data_, bytes_, MADV_POPULATE_WRITE);
}

registered_memory::mapping::~mapping() { ::munmap(data_, bytes_); }

registered_memory::registered_memory(const device& owner, ibv_pd* domain, std::size_t slots, std::size_t slot_bytes)
    : slots_(slots), slot_bytes_(slot_bytes), mapping_(slots * slot_bytes, owner.numa_node()) {
    const std::size_t bytes = slots * slot_bytes;
    if (owner.is_kernels()) check_locked_memory(owner, bytes, ENOMEM);
    const std::size_t most = std::max<std::size_t>(owner.can().region_bytes_max / slot_bytes, 1);
    for (std::size_t region_slots = std::min(slots, most);; region_slots = (region_slots + 1) / 2) {
        if (try_register(domain, region_slots)) return;
        const int error = errno;
        regions_.clear();
        if (error == ENOMEM) check_locked_memory(owner, bytes, error);
        const bool too_large = error == ENOMEM || error == EINVAL;
        if (!too_large || region_slots == 1 || region_slots * slot_bytes <= region_bytes_least)
            throw_verbs_error(error, "ibv_reg_mr(" + std::to_string(bytes) + " bytes)", owner.name());
    }
}

bool registered_memory::try_register(ibv_pd* domain, std::size_t region_slots) {
    region_slots_ = region_slots;
    for (std::size_t first = 0; first < slots_; first += region_slots) {
        const std::size_t bytes = std::min(region_slots, slots_ - first) * slot_bytes_;
        constexpr int access = IBV_ACCESS_LOCAL_WRITE;
        memory_region region(ibv_reg_mr(domain, slot(first), bytes, access));
        if (!region) return false;
        regions_.push_back(std::move(region));
    }
    return true;
}

}  // namespace verbcast::verbs
