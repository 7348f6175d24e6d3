// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/stream.hpp>

#include <cassert>
#include <mutex>
#include <string>
#include <utility>

#include <verbcast/error.hpp>
#include <verbcast/reader.hpp>

#include "src/heap_outlet.hpp"
#include "src/shared_state.hpp"
#include "src/stream_core.hpp"
#include "src/stream_timer.hpp"

namespace verbcast {
namespace {

/// Gives each heap to the user's sink at once.
class sink_outlet final : public heap_outlet {
public:
    explicit sink_outlet(std::unique_ptr<heap_sink> sink) : sink_(std::move(sink)) {
        if (!sink_) throw config_error("sink", "null", "must be a sink");
    }

    delivery accept(heap_ref heap, bool) override {
        sink_->accept(std::move(heap));
        return {};
    }
    void park(boost::asio::io_context&, std::unique_ptr<parked_handler>) override {
        assert(false && "a sink is never full");
    }
    void close(const stop_reason& why) noexcept override { sink_->stopped(why); }

private:
    std::unique_ptr<heap_sink> sink_;
};

class callable_sink final : public heap_sink {
public:
    explicit callable_sink(std::function<void(heap_ref)> function) : function_(std::move(function)) {
        if (!function_) throw config_error("sink", "empty", "must be callable");
    }
    void accept(heap_ref heap) override { function_(std::move(heap)); }

private:
    std::function<void(heap_ref)> function_;
};

void check_range(std::string_view field, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value >= least && value <= most) return;
    throw config_error(field, std::to_string(value),
                       "must be " + std::to_string(least) + " to " + std::to_string(most));
}

}  // namespace

void stream_config::validate() const {
    constexpr std::uint64_t places_max = 1 << 20;
    constexpr std::uint64_t bytes_max = std::uint64_t{1} << 48;
    check_range("heaps_live_max", heaps_live_max, 1, places_max);
    if (substreams == 0 || substreams > places_max / heaps_live_max)
        throw config_error("substreams", std::to_string(substreams),
                           "must be 1 to " + std::to_string(places_max / heaps_live_max) + ", " +
                               std::to_string(places_max) + " live heaps in all");
    check_range("compat", static_cast<std::uint64_t>(compat), 0, 7);
    check_range("heap_bytes_max", heap_bytes_max, 1, bytes_max);
    check_range("live_bytes_max", live_bytes_max, 1, bytes_max);
    check_range("heap_pointers_max", heap_pointers_max, 1, std::uint64_t{1} << 31);
    check_range("heap_ranges_max", heap_ranges_max, 1, std::uint64_t{1} << 31);
    constexpr std::uint64_t milliseconds_max = 24ULL * 3600 * 1000;
    if (heap_age_max)
        check_range("heap_age_max", static_cast<std::uint64_t>(heap_age_max->count()), 1, milliseconds_max);
    if (place) place->validate();
    if (idle_after) check_range("idle_after", static_cast<std::uint64_t>(idle_after->count()), 1, milliseconds_max);
}

stream_base::stream_base(io_context_ref context, const stream_config& config, std::unique_ptr<heap_outlet> outlet)
    : state_(std::make_shared<shared_state>()) {
    config.validate();
    core_ = std::make_unique<stream_core>(*state_, std::move(context), config, std::move(outlet));
    {
        const std::lock_guard lock(state_->queue_mutex);
        state_->stream = core_.get();
    }
    core_->start_timer();
}

stream_base::~stream_base() {
    // From another stream's too: it cannot wait for its handlers there, since no thread holds two queue_mutexes.
    assert(!sync::this_thread().in_batch_of && "a stream is destroyed from a callback of this or another stream");
    state_->stop(stop_reason::kind::destroyed);
    core_->destroy_readers();
}

bool stream_base::add_reader(std::unique_ptr<reader> reader) { return core_->add_reader(std::move(reader)); }
void stream_base::start() { core_->start(); }
void stream_base::stop() noexcept { state_->stop(stop_reason::kind::user_stop); }
bool stream_base::wait_released(std::chrono::steady_clock::time_point deadline) {
    return core_->wait_released(deadline);
}
stream_stats stream_base::stats() const { return core_->stats(); }
stop_reason stream_base::reason() const { return core_->reason(); }
boost::asio::io_context& stream_base::context() const noexcept { return core_->context(); }
const placement_report& stream_base::placed() const noexcept { return core_->placed(); }

stream::stream(io_context_ref context, std::unique_ptr<heap_sink> sink, const stream_config& config)
    : stream_base(std::move(context), config, std::make_unique<sink_outlet>(std::move(sink))) {}

stream::stream(io_context_ref context, std::function<void(heap_ref)> sink, const stream_config& config)
    : stream(std::move(context), std::make_unique<callable_sink>(std::move(sink)), config) {}

}  // namespace verbcast
