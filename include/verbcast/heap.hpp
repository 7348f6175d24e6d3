// SPDX-License-Identifier: BSD-3-Clause
/// A finished heap, and the two ways to hold one.
///
/// *Shared means read-only; writable means alone.* `heap_ref` is a counted reference to a heap nobody changes;
/// `writable_heap` is the only reference to one its holder may change. `make_writable()` and `share()` go between them.
///
/// A heap owns its payload and outlives the stream it came from. Its memory goes back to where it came from
/// (stream_config::memory) with the last reference, on the thread that drops it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/descriptor.hpp>

namespace verbcast {

enum class heap_status : std::uint8_t {
    complete,    ///< its length is known, and all of it came
    contiguous,  ///< its length was never said; what came has no gap
    incomplete,  ///< some of it is missing
};

/// Which clock a heap's arrival times come from.
enum class clock_source : std::uint8_t { none, kernel, hardware };

/// Nanoseconds since the Unix epoch, or of the NIC's clock where clock_source is `hardware`.
using arrival_time = std::chrono::nanoseconds;

/// Bytes [first, end) of a heap's payload.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    friend bool operator==(const byte_range&, const byte_range&) = default;
};

/// One item of a heap: an immediate value, or a view of the payload that lives as long as the heap.
struct item {
    std::uint64_t id = 0;
    bool immediate = false;
    std::uint64_t value = 0;                ///< the immediate's value
    std::span<const std::byte> bytes = {};  ///< the addressed item's bytes
    std::size_t length = 0;                 ///< in bytes; an immediate is as long as a heap address
};

class heap_ref;
class live_heap;
class writable_heap;

/// A finished heap. Const access from any thread, any number of them; see heap_ref and writable_heap.
class VERBCAST_API heap {
public:
    heap(const heap&) = delete;
    heap& operator=(const heap&) = delete;

    std::uint64_t cnt() const noexcept { return cnt_; }
    heap_status status() const noexcept { return status_; }
    unsigned address_bits() const noexcept { return address_bits_; }

    /// Addressed items by address, then immediates by value; ties in their order of arrival. DESCRIPTOR and STREAM_CTRL
    /// items are among them. An incomplete heap shows its immediates only.
    std::span<const item> items() const noexcept { return items_; }

    /// The descriptors in the heap's DESCRIPTOR items, decoded at each call (linear in their bytes) under the
    /// compatibility mask of the stream.
    std::vector<descriptor> descriptors() const;
    compatibility compat() const noexcept { return compatibility_; }

    /// Bytes 0 to the end of the furthest payload received. Where nothing was received, the bytes are unspecified.
    std::span<const std::byte> payload() const noexcept { return {payload_, payload_bytes_}; }
    /// What HEAP_LENGTH said, if any packet had one.
    std::optional<std::uint64_t> length() const noexcept { return length_; }
    /// Payload bytes received.
    std::uint64_t received_bytes() const noexcept { return received_bytes_; }
    /// Which of them, in order; neighbours are merged.
    std::span<const byte_range> ranges() const noexcept { return ranges_; }
    /// Packets the heap was built from.
    std::uint64_t packets() const noexcept { return packets_; }

    clock_source clock() const noexcept { return clock_; }
    /// When its first and last packet arrived; zero where clock() is `none`.
    arrival_time first_arrival() const noexcept { return first_arrival_; }
    arrival_time last_arrival() const noexcept { return last_arrival_; }

    /// True when an item tells of a stream start or stop: a STREAM_CTRL immediate, or an addressed one of 1 to 8 bytes.
    bool is_start() const noexcept;
    bool is_stop() const noexcept;

private:
    friend class heap_ref;
    friend class writable_heap;
    friend class live_heap;
    friend VERBCAST_API writable_heap make_writable(heap_ref&& shared);

    heap() = default;
    ~heap();

    void retain() const noexcept;
    void release() const noexcept;
    bool has_one_reference() const noexcept;
    heap* copy() const;

    mutable std::atomic<std::uint32_t> references_{1};
    std::uint8_t address_bits_ = 0;
    heap_status status_ = heap_status::incomplete;
    clock_source clock_ = clock_source::none;
    compatibility compatibility_{};
    std::uint64_t cnt_ = 0;
    std::byte* payload_ = nullptr;
    std::size_t capacity_bytes_ = 0;
    std::uint64_t payload_bytes_ = 0;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t packets_ = 0;
    std::optional<std::uint64_t> length_;
    arrival_time first_arrival_{};
    arrival_time last_arrival_{};
    std::vector<item> items_;
    std::vector<byte_range> ranges_;
    std::shared_ptr<std::pmr::memory_resource> memory_;
};

/// A counted, read-only reference to a heap. Copies may go to any number of threads; one heap_ref object is used by
/// one thread at a time. Copying and dropping cost one atomic operation. Empty when moved from.
class VERBCAST_API heap_ref {
public:
    heap_ref() = default;
    heap_ref(const heap_ref& other) noexcept : heap_(other.heap_) {
        if (heap_) heap_->retain();
    }
    heap_ref(heap_ref&& other) noexcept : heap_(std::exchange(other.heap_, nullptr)) {}
    heap_ref& operator=(heap_ref other) noexcept {
        std::swap(heap_, other.heap_);
        return *this;
    }
    ~heap_ref() {
        if (heap_) heap_->release();
    }

    explicit operator bool() const noexcept { return heap_ != nullptr; }
    const heap& operator*() const noexcept { return *heap_; }
    const heap* operator->() const noexcept { return heap_; }

private:
    friend class live_heap;
    friend class writable_heap;
    friend VERBCAST_API writable_heap make_writable(heap_ref&& shared);

    explicit heap_ref(const heap* owned) noexcept : heap_(owned) {}

    const heap* heap_ = nullptr;
};

/// The only reference to a heap, through which its payload may be changed. Move-only; used by one thread at a time.
class VERBCAST_API writable_heap {
public:
    writable_heap(writable_heap&&) = default;
    writable_heap& operator=(writable_heap&&) = default;

    const heap& operator*() const noexcept { return *shared_; }
    const heap* operator->() const noexcept { return shared_.operator->(); }

    std::span<std::byte> payload() noexcept;
    /// The bytes of item `index` of items(); empty for an immediate.
    std::span<std::byte> item_bytes(std::size_t index) noexcept;

    /// Gives the heap back as a shared one.
    heap_ref share() && noexcept { return std::move(shared_); }

private:
    friend VERBCAST_API writable_heap make_writable(heap_ref&& shared);

    explicit writable_heap(heap_ref&& alone) noexcept : shared_(std::move(alone)) {}

    heap_ref shared_;
};

/// Consumes `shared`: the same heap when this was its only reference, a copy of it otherwise. `shared` must not be
/// empty. Throws std::bad_alloc when there is no memory for the copy; `shared` is then left as it was.
VERBCAST_API writable_heap make_writable(heap_ref&& shared);

}  // namespace verbcast
