// SPDX-License-Identifier: BSD-3-Clause
/// A reader without a network: a socket that is ready as often as its plan says, and then waits for more until it is
/// closed. What it does to the stream is what a socket's reader does, in the same order and under the same locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/stop_reason.hpp>

#include "support/packet_builder.hpp"
#include "tests/explorer/scheduler.hpp"

namespace verbcast::explorer {

/// What became of a fake reader, to be looked at when it is gone.
struct reader_log {
    std::uint64_t fed = 0;  ///< packets that the stream took
    unsigned opened = 0;
    unsigned started = 0;
    unsigned stopped = 0;
    unsigned released = 0;
    unsigned destroyed = 0;
    bool threw = false;  ///< a callback threw: what of that batch the stream took is not in `fed`
};

struct reader_plan {
    std::vector<std::vector<test::bytes>> batches = {};  ///< one a handler, the first in start()
    bool lossless = false;
    bool ends = false;   ///< ends the reader after the last batch; else it waits for more
    bool fails = false;  ///< ends it with an error
    std::uint64_t ignored_after_stop = 0;
};

class fake_reader final : public reader {
public:
    /// The plan and the log outlive it.
    fake_reader(scheduler& run, boost::asio::io_context& context, const reader_plan& plan, reader_log& log)
        : run_(run), context_(context), plan_(plan), log_(log) {}
    ~fake_reader() override;

    std::string description() const override { return "fake"; }
    bool lossless() const noexcept override { return plan_.lossless; }
    void open() override;
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override;  // NOLINT(bugprone-exception-escape)
    release_result release() noexcept override;

private:
    /// An operation that was started and has not completed.
    class operation {
    public:
        virtual ~operation() = default;
        virtual void complete() = 0;
    };
    template <class Handler>
    class operation_with final : public operation {
    public:
        explicit operation_with(Handler&& handler) : handler_(std::move(handler)) {}
        void complete() override { handler_(); }

    private:
        Handler handler_;
    };

    void receive(handler_context context, stream_base::add_packet_handler& batch);
    void go_on(handler_context context, stream_base::add_packet_handler& batch);

    scheduler& run_;
    boost::asio::io_context& context_;
    const reader_plan& plan_;
    reader_log& log_;
    std::size_t batch_ = 0;
    std::size_t packet_ = 0;  // of the batch: the first that was not taken
    std::unique_ptr<operation> waiting_;
};

/// A heap of one packet.
test::bytes small_heap(std::uint64_t cnt);
/// The first of the packets of a heap of two.
test::bytes half_heap(std::uint64_t cnt);
test::bytes stop_heap(std::uint64_t cnt);

}  // namespace verbcast::explorer
