// SPDX-License-Identifier: BSD-3-Clause
#include "src/heap_memory.hpp"

#include <cassert>
#include <mutex>
#include <new>

#include "src/binding.hpp"

namespace verbcast {
namespace {

/// Below this malloc is as fast as a list of our own, and never asks the kernel.
constexpr std::size_t kept_block_bytes_min = 64 * 1024;

}  // namespace

heap_memory::~heap_memory() { give_back_other_than(0); }

void* heap_memory::do_allocate(std::size_t bytes, [[maybe_unused]] std::size_t alignment) {
    assert(alignment <= payload_alignment);
    if (bytes >= kept_block_bytes_min)
        if (void* block = take(bytes)) return block;
    return make(bytes);
}

void heap_memory::do_deallocate(void* block, std::size_t bytes, std::size_t) {
    if (bytes >= kept_block_bytes_min && keep(block, bytes)) return;
    give_back(block, bytes);
}

void* heap_memory::make(std::size_t bytes) const {
    if (node_ && bytes >= kept_block_bytes_min) return allocate_pages(bytes, node_);
    return ::operator new (bytes, std::align_val_t{payload_alignment});
}

void heap_memory::give_back(void* block, std::size_t bytes) const noexcept {
    if (node_ && bytes >= kept_block_bytes_min)
        free_pages(block, bytes);
    else
        ::operator delete (block, bytes, std::align_val_t{payload_alignment});
}

void* heap_memory::take(std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(bytes);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    void* const block = found->second.back();
    found->second.pop_back();
    kept_bytes_ -= bytes;
    return block;
}

bool heap_memory::keep(void* block, std::size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    if (kept_bytes_ + bytes > kept_bytes_max_) give_back_other_than(bytes);
    if (kept_bytes_ + bytes > kept_bytes_max_) return false;
    try {
        kept_[bytes].push_back(block);
    } catch (const std::bad_alloc&) {
        return false;
    }
    kept_bytes_ += bytes;
    return true;
}

/// Sizes that a stream no longer uses, or that a hostile sender made it use once, must not crowd out the others.
void heap_memory::give_back_other_than(std::size_t wanted_bytes) noexcept {
    for (auto& [bytes, blocks] : kept_) {
        if (bytes == wanted_bytes) continue;
        for (void* block : blocks) give_back(block, bytes);
        kept_bytes_ -= bytes * blocks.size();
        blocks.clear();
    }
    std::erase_if(kept_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace verbcast
