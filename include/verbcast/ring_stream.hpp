// SPDX-License-Identifier: BSD-3-Clause
/// A stream whose heaps wait in a ring until the user takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <verbcast/api.hpp>
#include <verbcast/heap_source.hpp>
#include <verbcast/stream.hpp>

namespace verbcast {

/// What happens to a finished heap when the ring is full.
enum class full_policy : std::uint8_t {
    wait,         ///< readers pause; for files and memory, where nothing is lost by it
    drop_newest,  ///< the heap is dropped and counted
    drop_oldest,  ///< the heap that waited longest is dropped and counted
};

enum class incomplete_policy : std::uint8_t {
    drop,     ///< counted as dropped
    deliver,  ///< like any heap, with the status `incomplete`
};

struct ring_stream_config {
    stream_config stream = {};
    /// Heaps that may wait. More smooths a consumer that stalls, and costs a heap's memory each.
    std::size_t heaps = 16;
    /// Unset: `wait` while every reader is lossless, else `drop_newest`.
    std::optional<full_policy> when_full = {};
    incomplete_policy incomplete = incomplete_policy::drop;

    /// Throws config_error.
    VERBCAST_API void validate() const;
};

/// A stream with a ring. A full ring never blocks a reader's thread.
///
/// The functions that pop are source()'s; see heap_source. A thread other than the one that destroys the stream should
/// pop through a heap_source of its own, which outlives the stream.
class VERBCAST_API ring_stream final : public stream_base {
public:
    explicit ring_stream(io_context_ref context, const ring_stream_config& config = {});

    const heap_source& source() const noexcept { return source_; }

    pop_result pop() { return source_.pop(); }
    pop_result try_pop() { return source_.try_pop(); }
    pop_result pop_for(std::chrono::nanoseconds patience) { return source_.pop_for(patience); }
    template <class Token>
    auto async_pop(Token&& token) {
        return source_.async_pop(std::forward<Token>(token));
    }
    int descriptor() { return source_.descriptor(); }
    heap_source::iterator begin() { return source_.begin(); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    ring_stream(io_context_ref context, const ring_stream_config& config, std::shared_ptr<heap_queue> queue);

    heap_source source_;
};

}  // namespace verbcast
