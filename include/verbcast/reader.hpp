// SPDX-License-Identifier: BSD-3-Clause
/// Readers bring packets into a stream. This is the interface that all readers have, and the one to write more by.
///
/// A reader never waits: it starts asynchronous operations whose handlers are bound with bind_handler(), and adds what
/// has arrived in batches. All calls on its Asio objects are made under the stream's lock, that is in start(), in bound
/// handlers and in stop().
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/add_packet_handler.hpp>
#include <verbcast/api.hpp>

namespace verbcast {

/// The stream owns its readers and destroys them on the thread that destroys it.
class VERBCAST_API reader {
public:
    /// What release() found after the stop, for the account.
    struct release_result {
        struct group_result {
            std::uint32_t group = 0;               ///< an index that add_group() gave
            std::uint64_t ignored_after_stop = 0;  ///< packets that came, or were read, and never added
            std::uint64_t kernel_drops = 0;        ///< buffers dropped that add_kernel_drops() was not told of
            std::optional<std::uint64_t> nic_drops =
                {};  ///< frames that add_nic_drops() was not told of; absent: nobody counts
        };
        std::vector<group_result> groups;
        std::optional<port_stats> port = {};  ///< for the last time
    };

    virtual ~reader() = default;

    /// What it reads, for messages: "udp 239.2.1.150:7148 on lo".
    virtual std::string description() const = 0;
    /// True when nothing is lost while it does not read: files and memory, not sockets.
    virtual bool lossless() const noexcept = 0;

    /// Opens files and sockets and joins groups, on the thread that adds the reader, outside all locks.
    /// Throws std::system_error. Called once, before anything else.
    virtual void open() {}
    /// The first handler: starts the first operation. Under the stream's lock.
    virtual void start(handler_context context, stream_base::add_packet_handler& batch) = 0;
    /// Cancels and closes the Asio objects. Once, under the stream's lock, on the thread that stops the stream: must be
    /// fast, leaves no groups and frees nothing that a handler may still use.
    virtual void stop() noexcept = 0;
    /// What takes longer: leaves groups, drains queues. Once, after stop(), outside all locks, on one of the threads
    /// that run the reader or on the one that destroys the stream.
    virtual release_result release() noexcept { return {}; }

    /// Wraps `function(handler_context, stream_base::add_packet_handler&, arguments...)` into a handler for an
    /// asynchronous operation. The handler locks the stream, and gives up when the stream has stopped: so `function`
    /// may use the reader it belongs to, which lives as long as its stream runs. It must not touch it after it returns.
    template <class Function>
    static auto bind_handler(handler_context&& context, Function&& function) {
        return [context = std::move(context),
                function = std::forward<Function>(function)]<class... Arguments>(Arguments&&... arguments) mutable {
            // A reference of this frame's own: the mutex must outlive the unlock at the end of the batch.
            const std::shared_ptr<shared_state> keep = context.state();
            stream_base::add_packet_handler batch(*keep);
            if (!batch) return;
            try {
                function(std::move(context), batch, std::forward<Arguments>(arguments)...);
            } catch (...) {
                batch.fail(std::current_exception());
            }
        };
    }
};

template <class Function>
void stream_base::add_packet_handler::pause(handler_context&& context, boost::asio::io_context& executor,
                                            Function&& function) {
    auto handler = reader::bind_handler(std::move(context), std::forward<Function>(function));

    class parked final : public parked_handler {
    public:
        explicit parked(decltype(handler)&& resumed) : handler_(std::move(resumed)) {}
        void run() override { handler_(); }

    private:
        decltype(handler) handler_;
    };
    park(executor, std::make_unique<parked>(std::move(handler)));
}

}  // namespace verbcast
