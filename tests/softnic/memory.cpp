// SPDX-License-Identifier: BSD-3-Clause
#include "nic.hpp"

#include <catch2/catch.hpp>

#include <sys/mman.h>

#include <cerrno>

using namespace nic_test;

namespace {

int register_errno(device& nic, void* at, std::size_t size, int access) {
    errno = 0;
    const handle<ibv_mr> region(ibv_reg_mr(nic.domain.get(), at, size, access));
    return region ? 0 : errno;
}

}  // namespace

TEST_CASE("a region shows its address, length and domain, and keys that no other has", "[any]") {
    device nic;
    const memory first(nic, 4096);
    const memory second(nic, 100);
    CHECK(first.region->addr == first.data.data());
    CHECK(first.region->length == 4096);
    CHECK(first.region->pd == nic.domain.get());
    CHECK(first.region->lkey != second.region->lkey);
}

TEST_CASE("remote write or atomic access without local write is refused with EINVAL", "[any]") {
    device nic;
    bytes data(64);
    CHECK(register_errno(nic, data.data(), data.size(), IBV_ACCESS_REMOTE_WRITE) == EINVAL);
    CHECK(register_errno(nic, data.data(), data.size(), IBV_ACCESS_REMOTE_ATOMIC) == EINVAL);
    CHECK(register_errno(nic, data.data(), data.size(), IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE) == 0);
}

TEST_CASE("relaxed ordering is an optional access flag, which any device takes", "[any]") {
    device nic;
    bytes data(64);
    CHECK(register_errno(nic, data.data(), data.size(), IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING) == 0);
}

TEST_CASE("memory that is not mapped cannot be registered: EFAULT", "[any]") {
    device nic;
    void* page = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    REQUIRE(::munmap(static_cast<char*>(page) + 4096, 4096) == 0);
    CHECK(register_errno(nic, page, 8192, IBV_ACCESS_LOCAL_WRITE) == EFAULT);
    CHECK(register_errno(nic, page, 4096, IBV_ACCESS_LOCAL_WRITE) == 0);
    ::munmap(page, 4096);
}

TEST_CASE("memory that may only be read cannot be registered for writing", "[any]") {
    device nic;
    void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    CHECK(register_errno(nic, page, 4096, IBV_ACCESS_LOCAL_WRITE) == EFAULT);
    ::munmap(page, 4096);
}

TEST_CASE("a domain that a region, a queue pair or a parent domain uses is busy", "[raw]") {
    device nic;
    {
        const memory used(nic, 64);
        CHECK(ibv_dealloc_pd(nic.domain.get()) == EBUSY);
    }
    {
        const queue used(nic);
        CHECK(ibv_dealloc_pd(nic.domain.get()) == EBUSY);
    }
    ibv_parent_domain_init_attr parent{};
    parent.pd = nic.domain.get();
    const handle<ibv_pd> domain(ibv_alloc_parent_domain(nic.context.get(), &parent));
    REQUIRE(domain);
    CHECK(ibv_dealloc_pd(nic.domain.get()) == EBUSY);
}

TEST_CASE("a region that has been registered with an I/O address is addressed by it", "[flow]") {
    device nic;
    queue both(nic);
    both.bring_to(IBV_QPS_RTS);
    const auto flow = group_rule().create(both);
    REQUIRE(flow);
    bytes data(4096);
    constexpr std::uint64_t iova = 0x1000;
    const handle<ibv_mr> region(
        ibv_reg_mr_iova(nic.domain.get(), data.data(), data.size(), iova, int{IBV_ACCESS_LOCAL_WRITE}));
    REQUIRE(region);
    const bytes frame = udp_frame();
    std::copy(frame.begin(), frame.end(), data.begin());
    REQUIRE(both.post_receive(1, {{iova + 2048, 2048, region->lkey}}) == 0);
    REQUIRE(both.post_send(2, {{iova, static_cast<std::uint32_t>(frame.size()), region->lkey}}) == 0);
    REQUIRE(both.completions(2).size() == 2);
    CHECK(std::equal(frame.begin(), frame.end(), data.begin() + 2048));
}

TEST_CASE("ibv_rereg_mr moves a region, and its old bytes are out of bounds", "[raw]") {
    device nic;
    queue both(nic);
    both.bring_to(IBV_QPS_RTS);
    memory buffers(nic, 4096);
    bytes other(4096);
    REQUIRE(ibv_rereg_mr(buffers.region.get(), IBV_REREG_MR_CHANGE_TRANSLATION, nullptr, other.data(), other.size(),
                         0) == 0);
    CHECK(buffers.region->addr == other.data());
    REQUIRE(both.post_send(1, {buffers.entry(0, 64)}) == 0);
    const auto done = both.completions(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].status == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("ibv_rereg_mr with a flag it does not know says that the old region is valid", "[any]") {
    device nic;
    const memory buffers(nic, 64);
    CHECK(ibv_rereg_mr(buffers.region.get(), 1 << 10, nullptr, nullptr, 0, 0) == IBV_REREG_MR_ERR_INPUT);
}
