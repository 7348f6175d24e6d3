// SPDX-License-Identifier: BSD-3-Clause
/// Ages out partial heaps and watches for silent groups.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include <verbcast/reader.hpp>
#include <verbcast/stream.hpp>

namespace verbcast {

class stream_core;

/// A reader that reads the clock: so its handlers find the stream, or do not, by the same rules as all others.
class stream_timer final : public reader {
public:
    stream_timer(stream_core& core, const stream_config& config);

    std::string description() const override { return "timer"; }
    bool lossless() const noexcept override { return true; }
    void start(handler_context context, stream_base::add_packet_handler& batch) override;
    void stop() noexcept override;  // NOLINT(bugprone-exception-escape): see there

private:
    using time_point = std::chrono::steady_clock::time_point;

    void wait(handler_context context);
    void tick(time_point now);

    stream_core& core_;
    const std::optional<std::chrono::milliseconds> heap_age_max_;
    const std::optional<std::chrono::milliseconds> idle_after_;
    const std::chrono::milliseconds period_;
    time_point idle_check_due_;
    boost::asio::steady_timer timer_;
};

}  // namespace verbcast
