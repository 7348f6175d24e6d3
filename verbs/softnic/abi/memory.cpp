// SPDX-License-Identifier: BSD-3-Clause
// Protection domains and memory regions.
#include "../memory_table.hpp"
#include "../objects.hpp"
#include "../privileges.hpp"
#include "abi.hpp"

#include <atomic>
#include <memory>
#include <mutex>

#undef ibv_reg_mr
#undef ibv_reg_mr_iova

using namespace softnic;

namespace {

constexpr unsigned access_known = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                                  IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED |
                                  IBV_ACCESS_HUGETLB;
constexpr std::size_t page_bytes = 4096;

std::atomic<std::size_t> locked_bytes{0};

protection_domain& domain_of(ibv_pd* handle) noexcept { return *static_cast<protection_domain*>(handle); }

std::size_t page_span(const void* address, std::size_t bytes) noexcept {
    const auto from = reinterpret_cast<std::uintptr_t>(address) / page_bytes;
    const auto to = (reinterpret_cast<std::uintptr_t>(address) + bytes + page_bytes - 1) / page_bytes;
    return (to - from) * page_bytes;
}

int check_access(unsigned access) noexcept {
    if ((access & ~(access_known | IBV_ACCESS_OPTIONAL_RANGE)) != 0) {
        return (access & IBV_ACCESS_ON_DEMAND) != 0 ? EOPNOTSUPP : EINVAL;
    }
    const bool remote_write = (access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;
    return remote_write && (access & IBV_ACCESS_LOCAL_WRITE) == 0 ? EINVAL : 0;
}

int check_memory(const void* address, std::size_t bytes, unsigned access) {
    if (bytes == 0) return EINVAL;
    const bool writable = (access & IBV_ACCESS_LOCAL_WRITE) != 0;
    if (!is_mapped(address, bytes, writable)) return EFAULT;
    const std::size_t span = page_span(address, bytes);
    return library::instance().strict() && !may_lock(locked_bytes.load(), span) ? ENOMEM : 0;
}

int register_memory(const char* verb, ibv_pd* domain, void* address, std::size_t bytes, std::uint64_t iova,
                    unsigned access, ibv_mr*& handle) {
    device_context& opened = device_context::of(domain->context);
    if (const int error = abi::refusal(verb, opened.owner); error != 0) return error;
    if (const int error = check_access(access); error != 0) return error;
    if (const int error = check_memory(address, bytes, access); error != 0) return error;
    if (!opened.memory_regions.take()) return ENOMEM;
    auto region = std::make_unique<memory_region>();
    region->context = domain->context;
    region->pd = domain;
    region->addr = address;
    region->length = bytes;
    region->iova = (access & IBV_ACCESS_ZERO_BASED) != 0 ? 0 : iova;
    region->access = access;
    region->locked_bytes = page_span(address, bytes);
    {
        port& attached = opened.owner.attached_port();
        const std::scoped_lock receive_lock(attached.receive_mutex);
        const std::scoped_lock transmit_lock(attached.transmit_mutex);
        attached.memory.add(*region);
    }
    const std::scoped_lock lock(opened.objects_mutex);
    opened.regions.insert(region.get());
    locked_bytes += region->locked_bytes;
    ++domain_of(domain).users;
    handle = region.release();
    return 0;
}

std::uint64_t as_iova(const void* address) noexcept { return reinterpret_cast<std::uintptr_t>(address); }

}  // namespace

SOFTNIC_EXPORT ibv_pd* ibv_alloc_pd(ibv_context* handle) {
    return abi::as_handle<ibv_pd>([&](ibv_pd*& domain) {
        if (const int error = abi::refusal("ibv_alloc_pd", handle); error != 0) return error;
        if (!device_context::of(handle).domains.take()) return ENOMEM;
        auto* made = new protection_domain;
        made->context = handle;
        made->handle = 0;
        made->root = made;
        domain = made;
        return 0;
    });
}

ibv_td* abi::alloc_td(ibv_context* handle, ibv_td_init_attr* initial) {
    return as_handle<ibv_td>([&](ibv_td*& made) {
        if (initial->comp_mask != 0) return EINVAL;
        if (const int error = refusal("ibv_alloc_td", handle); error != 0) return error;
        auto* domain = new thread_domain;
        domain->context = handle;
        made = domain;
        return 0;
    });
}

int abi::dealloc_td(ibv_td* handle) {
    auto* domain = static_cast<thread_domain*>(handle);
    if (const int error = planned_failure("ibv_dealloc_td"); error != 0) return error;
    if (domain->users != 0) return EBUSY;
    delete domain;
    return 0;
}

ibv_pd* abi::alloc_parent_domain(ibv_context* handle, ibv_parent_domain_init_attr* initial) {
    return as_handle<ibv_pd>([&](ibv_pd*& made) {
        if (const int error = refusal("ibv_alloc_parent_domain", handle); error != 0) return error;
        if (initial->pd == nullptr) return EINVAL;
        // Own allocators are for queues that hardware reads; there are none here.
        if ((initial->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) != 0) return EOPNOTSUPP;
        auto* domain = new protection_domain;
        domain->context = handle;
        domain->parent_of = &domain_of(initial->pd);
        domain->root = domain->parent_of->root;
        domain->thread = static_cast<thread_domain*>(initial->td);
        ++domain->parent_of->users;
        if (domain->thread != nullptr) ++domain->thread->users;
        made = domain;
        return 0;
    });
}

SOFTNIC_EXPORT int ibv_dealloc_pd(ibv_pd* handle) {
    protection_domain& domain = domain_of(handle);
    if (const int error = planned_failure("ibv_dealloc_pd"); error != 0) return error;
    if (domain.users != 0) return EBUSY;
    if (domain.parent_of != nullptr) {
        --domain.parent_of->users;
    } else {
        device_context::of(handle->context).domains.give_back();
    }
    if (domain.thread != nullptr) --domain.thread->users;
    delete &domain;
    return 0;
}

SOFTNIC_EXPORT ibv_mr* ibv_reg_mr(ibv_pd* domain, void* address, std::size_t bytes, int access) {
    return abi::as_handle<ibv_mr>([&](ibv_mr*& region) {
        return register_memory("ibv_reg_mr", domain, address, bytes, as_iova(address), static_cast<unsigned>(access),
                               region);
    });
}

SOFTNIC_EXPORT ibv_mr* ibv_reg_mr_iova(ibv_pd* domain, void* address, std::size_t bytes, std::uint64_t iova,
                                       int access) {
    return abi::as_handle<ibv_mr>([&](ibv_mr*& region) {
        return register_memory("ibv_reg_mr_iova", domain, address, bytes, iova, static_cast<unsigned>(access), region);
    });
}

/// Also what ibv_reg_mr becomes when the access flags are not known at compile time, so a script that speaks of
/// ibv_reg_mr means this one too.
SOFTNIC_EXPORT ibv_mr* ibv_reg_mr_iova2(ibv_pd* domain, void* address, std::size_t bytes, std::uint64_t iova,
                                        unsigned access) {
    return abi::as_handle<ibv_mr>([&](ibv_mr*& region) {
        const char* verb = iova == as_iova(address) ? "ibv_reg_mr" : "ibv_reg_mr_iova";
        return register_memory(verb, domain, address, bytes, iova, access, region);
    });
}

SOFTNIC_EXPORT ibv_mr* ibv_reg_dmabuf_mr(ibv_pd*, std::uint64_t, std::size_t, std::uint64_t, int, int) {
    errno = EOPNOTSUPP;
    return nullptr;
}

SOFTNIC_EXPORT int ibv_rereg_mr(ibv_mr* handle, int flags, ibv_pd* domain, void* address, std::size_t bytes,
                                int access) {
    auto& region = *static_cast<memory_region*>(handle);
    const auto fail = [](int error, int code) {
        errno = error;
        return code;
    };
    if ((flags & ~IBV_REREG_MR_FLAGS_SUPPORTED) != 0) return fail(EINVAL, IBV_REREG_MR_ERR_INPUT);
    const bool moves = (flags & IBV_REREG_MR_CHANGE_TRANSLATION) != 0;
    const bool changes_access = (flags & IBV_REREG_MR_CHANGE_ACCESS) != 0;
    if (moves && (address == nullptr || bytes == 0)) return fail(EINVAL, IBV_REREG_MR_ERR_INPUT);
    const unsigned access_then = changes_access ? static_cast<unsigned>(access) : region.access;
    const void* address_then = moves ? address : region.addr;
    const std::size_t bytes_then = moves ? bytes : region.length;
    int error = abi::refusal("ibv_rereg_mr", handle->context);
    if (error == 0) error = check_access(access_then);
    if (error == 0) error = abi::as_error([&] { return check_memory(address_then, bytes_then, access_then); });
    if (error != 0) return fail(error, IBV_REREG_MR_ERR_CMD);

    port& attached = device_context::of(handle->context).owner.attached_port();
    const std::scoped_lock receive_lock(attached.receive_mutex);
    const std::scoped_lock transmit_lock(attached.transmit_mutex);
    if (moves) {
        locked_bytes -= region.locked_bytes;
        region.locked_bytes = page_span(address, bytes);
        locked_bytes += region.locked_bytes;
        region.addr = address;
        region.length = bytes;
        region.iova = as_iova(address);
    }
    if ((flags & IBV_REREG_MR_CHANGE_PD) != 0) {
        --domain_of(region.pd).users;
        region.pd = domain;
        ++domain_of(domain).users;
    }
    region.access = access_then;
    return 0;
}

SOFTNIC_EXPORT int ibv_dereg_mr(ibv_mr* handle) {
    auto* region = static_cast<memory_region*>(handle);
    if (const int error = planned_failure("ibv_dereg_mr"); error != 0) return error;
    device_context& opened = device_context::of(handle->context);
    {
        port& attached = opened.owner.attached_port();
        const std::scoped_lock receive_lock(attached.receive_mutex);
        const std::scoped_lock transmit_lock(attached.transmit_mutex);
        attached.memory.remove(*region);
    }
    const std::scoped_lock lock(opened.objects_mutex);
    opened.regions.erase(region);
    opened.memory_regions.give_back();
    locked_bytes -= region->locked_bytes;
    --domain_of(region->pd).users;
    delete region;
    return 0;
}
