// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

#include "heap_loop.hpp"
#include "heap_saver.hpp"
#include "heap_verifier.hpp"
#include "rate_meter.hpp"
#include "reader_choice.hpp"
#include "terminal.hpp"

namespace verbcast::tools {

struct recv_options {
    std::vector<std::string> groups;
    std::string interface;
    reader_wish reader = reader_wish::automatic;
    reader_configs readers;
    ring_stream_config ring;
    thread_pool_config threads;

    std::optional<std::uint64_t> heaps;
    std::optional<std::chrono::nanoseconds> time;
    std::optional<std::chrono::nanoseconds> heap_age;
    std::optional<std::chrono::nanoseconds> idle_after;
    std::string save;
    bool json = false;
    bool verify = false;
    bool fail_on_loss = false;
};

/// One run of `verbcast recv`. One thread, beside those of the stream.
class recv_session {
public:
    /// `options` must outlive it.
    explicit recv_session(const recv_options& options);

    /// Receives until something ends it, and reports. Returns the exit code. Throws what opening throws.
    int run();

private:
    enum class end_cause { stream, heaps, time, signal, save_failed };

    thread_pool_config threads_of() const;
    ring_stream_config stream_config_of();
    heap_loop_handlers handlers();
    void open();
    void announce();
    void on_event(const stream_event& event);
    bool take(const heap& each);
    void verify(const heap& each);
    bool save(const heap& each);
    void end(end_cause cause);
    void show_rates();
    int report();
    std::string ending() const;
    void explain_failures(const stream_stats& stats);
    bool failed(const stream_stats& stats) const;
    void say(const std::string& text);

    const recv_options& options_;
    terminal screen_{stderr};
    reader_choice choice_;
    heap_verifier verifier_;
    std::optional<heap_saver> saver_;
    std::optional<rate_meter> meter_;
    end_cause cause_ = end_cause::stream;
    std::uint64_t heaps_taken_ = 0;
    std::uint64_t bad_heaps_shown_ = 0;
    heap_loop loop_;  // outlives the stream, whose events it is sent
    ring_stream stream_;
};

}  // namespace verbcast::tools
