// SPDX-License-Identifier: BSD-3-Clause
/// Threads that run readers, and the handle by which a stream is told where to run.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>

#include <verbcast/api.hpp>
#include <verbcast/placement.hpp>

namespace verbcast {

struct thread_pool_config {
    std::size_t threads = 1;
    /// Where the threads run, and with them the memory of the streams that are given this pool.
    placement place = {};
    /// Threads show up in top and gdb as NAME/0, NAME/1, ...; the kernel keeps 15 characters.
    std::string name = "verbcast";

    /// Throws config_error.
    VERBCAST_API void validate() const;
};

/// A counted handle to threads that run an io_context. Any thread may copy and drop it. When the last handle goes, the
/// threads are stopped and joined; one that drops it itself is stopped and detached, and ends with its present handler.
/// Handlers that are still queued then are destroyed without being run.
class VERBCAST_API thread_pool {
public:
    /// Starts the threads. Throws config_error, or std::system_error when a thread or its affinity cannot be had.
    explicit thread_pool(const thread_pool_config& config = {});

    boost::asio::io_context& context() const noexcept;
    std::size_t threads() const noexcept;
    /// What `place` came to.
    const placement_report& placed() const noexcept;

    /// Ends the threads when their present handlers return; idempotent, any thread. Does not wait.
    void stop() const noexcept;

private:
    friend class io_context_ref;

    class state;
    std::shared_ptr<state> state_;
};

/// Where a stream's readers run: an io_context of the user's, which must outlive the stream and which the user runs on
/// as many threads as he likes, or a thread_pool, which the stream then holds a reference to.
class VERBCAST_API io_context_ref {
public:
    io_context_ref(boost::asio::io_context& context) noexcept : context_(&context) {}  // NOLINT: converts
    io_context_ref(thread_pool pool) noexcept                                          // NOLINT
        : context_(&pool.context()), placed_(&pool.placed()), pool_(std::move(pool.state_)) {}

    boost::asio::io_context& get() const noexcept { return *context_; }
    /// Of the pool; null when it is no pool.
    const placement_report* placed() const noexcept { return placed_; }

private:
    boost::asio::io_context* context_;
    const placement_report* placed_ = nullptr;
    std::shared_ptr<void> pool_;
};

}  // namespace verbcast
