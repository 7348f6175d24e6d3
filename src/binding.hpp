// SPDX-License-Identifier: BSD-3-Clause
/// Threads to CPUs and pages to NUMA nodes.
#pragma once

#include <cstddef>
#include <optional>
#include <thread>

namespace verbcast {

/// Throws std::system_error.
void bind_thread(std::thread::native_handle_type thread, int cpu);

/// Pages of their own, zeroed. On `node` if it is given and the kernel permits it, and elsewhere rather than nowhere
/// when that node is full. Throws std::bad_alloc.
void* allocate_pages(std::size_t bytes, std::optional<int> node);
void free_pages(void* pages, std::size_t bytes) noexcept;

/// Whether this process may bind pages to a node.
bool can_bind_memory(int node);

/// RAII for the two functions above.
class bound_pages {
public:
    bound_pages(std::size_t bytes, std::optional<int> node) : data_(allocate_pages(bytes, node)), bytes_(bytes) {}
    ~bound_pages() { free_pages(data_, bytes_); }
    bound_pages(const bound_pages&) = delete;
    bound_pages& operator=(const bound_pages&) = delete;

    std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }

private:
    void* data_;
    std::size_t bytes_;
};

}  // namespace verbcast
