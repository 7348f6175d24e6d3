// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/quarantine.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>

#include "src/sync.hpp"

#ifdef __SANITIZE_ADDRESS__

bool verbcast::explorer::quarantine::release() noexcept { return true; }

#else

namespace {

constexpr unsigned char pattern = 0xDB;

struct block {
    void* memory;
    std::size_t bytes;
};

// Used by the virtual thread whose turn it is, and between runs. Grown by malloc: it works below operator new.
struct {
    block* blocks = nullptr;
    std::size_t size = 0;
    std::size_t capacity = 0;
} kept;

void keep(void* memory) noexcept {
    if (kept.size == kept.capacity) {
        const std::size_t capacity = std::max<std::size_t>(1024, 2 * kept.capacity);
        void* const grown = std::realloc(kept.blocks, capacity * sizeof(block));
        if (grown == nullptr) return std::free(memory);
        kept.blocks = static_cast<block*>(grown);
        kept.capacity = capacity;
    }
    const std::size_t bytes = malloc_usable_size(memory);
    std::memset(memory, pattern, bytes);
    kept.blocks[kept.size++] = {memory, bytes};
}

bool is_untouched(const block& each) noexcept {
    const auto* const bytes = static_cast<const unsigned char*>(each.memory);
    return std::all_of(bytes, bytes + each.bytes, [](unsigned char byte) { return byte == pattern; });
}

void* allocate(std::size_t bytes, std::size_t alignment) {
    void* memory = nullptr;
    if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<std::size_t>(bytes, 1)) != 0)
        throw std::bad_alloc();
    return memory;
}

void deallocate(void* memory) noexcept {
    if (memory == nullptr) return;
    if (verbcast::sync::model::this_driver != nullptr)
        keep(memory);
    else
        std::free(memory);
}

}  // namespace

bool verbcast::explorer::quarantine::release() noexcept {
    bool untouched = true;
    for (std::size_t i = 0; i < kept.size; ++i) {
        untouched = untouched && is_untouched(kept.blocks[i]);
        std::free(kept.blocks[i].memory);
    }
    kept.size = 0;
    return untouched;
}

// The other forms, array and nothrow, come to these.
void* operator new(std::size_t bytes) {
    void* const memory = std::malloc(std::max<std::size_t>(bytes, 1));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { deallocate(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { deallocate(memory); }

#endif
