// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <verbcast/error.hpp>
#include <verbcast/stream.hpp>

#include "packet_builder.hpp"

namespace verbcast::test {

/// A heap that is one packet of `payload_bytes`.
inline bytes heap_packet(std::uint64_t cnt, std::size_t payload_bytes = 64) {
    return wire_packet{.heap_cnt = cnt,
                       .heap_length = payload_bytes,
                       .items = {addressed(0x1000, 0)},
                       .payload = pattern(payload_bytes, cnt)}
        .encode();
}

/// A stream with a reader of this configuration, whose handlers run on this thread, while run_until() waits.
template <class Config>
struct stream_receiver {
    explicit stream_receiver(const Config& config, const stream_config& options = {}) : stream_receiver(options) {
        receiving.add_reader(config);
        start();
    }
    explicit stream_receiver(stream_config options = {})
        : receiving(
              context,
              [this](const heap_ref& heap) {
                  cnts.push_back(heap->cnt());
                  last = heap;
              },
              with_events(std::move(options))) {}

    stream_config with_events(stream_config options) {
        options.on_event = [this](const stream_event& event) { events.push_back(event.text); };
        return options;
    }
    void start() {
        REQUIRE(run_until([this] { return receiving.stats().batches > 0; }));
    }
    bool run_until(const std::function<bool()>& reached) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!reached()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            context.restart();
            context.run_one_until(deadline);
        }
        return true;
    }
    bool receives(std::size_t heaps) {
        return run_until([&] { return cnts.size() >= heaps; });
    }
    void stop_and_release() {
        receiving.stop();
        REQUIRE(run_until([&] { return receiving.wait_released(std::chrono::steady_clock::now()); }));
    }
    group_stats group(const std::string& name) const {
        for (const group_stats& each : receiving.stats().groups)
            if (each.name == name) return each;
        throw std::out_of_range("no group " + name);
    }

    /// What is said when a reader of this configuration is opened; "opened" when nothing is wrong.
    static std::string refusal(const Config& config) {
        boost::asio::io_context context;
        stream receiving(context, [](const heap_ref&) {});
        try {
            receiving.add_reader(config);
        } catch (const config_error& error) {
            return std::string("config_error: ") + error.what();
        } catch (const std::system_error& error) {
            return error.what();
        }
        return "opened";
    }

    boost::asio::io_context context;
    std::vector<std::uint64_t> cnts;
    heap_ref last;
    std::vector<std::string> events;
    stream receiving;
};

}  // namespace verbcast::test
