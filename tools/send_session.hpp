// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flavour.hpp"
#include "heap_encoder.hpp"
#include "heap_factory.hpp"
#include "pacer.hpp"
#include "packet_sink.hpp"
#include "rate_meter.hpp"
#include "stop_signal.hpp"
#include "terminal.hpp"

namespace verbcast::tools {

enum class transport { udp, raw };

struct send_options {
    std::vector<std::string> groups;
    std::string interface;
    std::string source;
    transport how = transport::udp;
    std::uint64_t hops = 1;
    bool gso = true;

    flavour kind;
    std::uint64_t heap_bytes = 1 << 20;
    std::optional<std::size_t> packet_bytes;  ///< unset: what fits into 1500 bytes with the headers of UDP and IP
    std::uint64_t interleave = 1;

    double gbps = 1;  ///< 0: as fast as it goes
    std::optional<std::uint64_t> burst_bytes;
    std::optional<std::uint64_t> heaps;
    std::optional<std::chrono::nanoseconds> time;
    bool stop = true;
    std::uint64_t stop_heaps = 1;

    bool verify = false;
    bool json = false;
};

/// One run of `verbcast send`. One thread.
class send_session {
public:
    /// `options` must outlive it.
    explicit send_session(const send_options& options);

    /// Sends until something ends it, and reports. Returns the exit code. Throws what opening and sending throw.
    int run();

private:
    /// A heap of which some packets have been sent.
    struct heap_under_way {
        std::size_t group = 0;
        std::unique_ptr<std::vector<std::byte>> storage;
        heap_encoder encoder;
    };

    std::unique_ptr<packet_sink> make_sender() const;
    std::size_t packet_bytes() const noexcept;
    std::uint64_t burst_bytes() const noexcept;
    void announce();
    void send_heaps();
    heap_under_way make_heap();
    void fill_burst();
    void send_burst();
    void send_stop_heaps();
    bool wants_more_heaps() const;
    traffic_counts counts() const noexcept;
    void report_rates(rate_meter::clock::time_point now);
    int report(const traffic_rates& rates);
    void say(const std::string& text);

    const send_options& options_;
    terminal screen_{stderr};
    stop_signal signal_;
    heap_factory factory_;
    const std::unique_ptr<packet_sink> sender_;
    rate_meter::clock::time_point start_;
    rate_meter meter_;
    pacer pacer_;
    rate_meter::clock::time_point next_report_;

    std::vector<heap_under_way> under_way_;
    std::size_t turn_ = 0;  // whose packet is next
    std::vector<std::unique_ptr<std::vector<std::byte>>> idle_storage_;
    std::vector<heap_under_way> unsent_;  // done, but for the flush, which still reads their payload
    std::uint64_t heaps_started_ = 0;
    std::uint64_t heaps_sent_ = 0;
    std::uint64_t bytes_flushed_ = 0;
    outgoing_packet packet_;
};

}  // namespace verbcast::tools
