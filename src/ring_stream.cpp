// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/ring_stream.hpp>

#include <memory>
#include <string>
#include <utility>

#include <verbcast/error.hpp>

#include "src/heap_outlet.hpp"
#include "src/heap_queue.hpp"

namespace verbcast {
namespace {

/// So that what a packet already taken hands over, or the flush of a stop, always has a place.
std::size_t reserve_of(const stream_config& config) { return config.heaps_live_max * config.substreams + 1; }

class ring_outlet final : public heap_outlet {
public:
    ring_outlet(std::shared_ptr<heap_queue> queue, const ring_stream_config& config)
        : queue_(std::move(queue)), chosen_(config.when_full), incomplete_(config.incomplete) {}

    delivery accept(heap_ref heap, bool flushed) override {
        if (heap->status() == heap_status::incomplete && incomplete_ == incomplete_policy::drop)
            return {.what = outcome::dropped_incomplete};
        delivery done{.what = outcome::in_ring};
        if (!flushed && policy_ != full_policy::wait && queue_->full()) {
            if (policy_ == full_policy::drop_newest) return {.what = outcome::dropped_ring_full};
            displace_oldest(done);
        }
        if (!queue_->push(std::move(heap))) done.what = outcome::dropped_ring_full;
        return done;
    }

    bool must_pause() const noexcept override { return policy_ == full_policy::wait && queue_->full(); }
    void readers_changed(bool all_lossless) noexcept override {
        policy_ = chosen_.value_or(all_lossless ? full_policy::wait : full_policy::drop_newest);
    }
    void park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked) override {
        queue_->park(executor, std::move(parked));
    }
    pops popped() const noexcept override { return queue_->popped(); }
    void close(const stop_reason& why) noexcept override { queue_->close(why); }
    void wait_for_resumptions() noexcept override { queue_->wait_for_resumptions(); }

private:
    void displace_oldest(delivery& done) {
        const heap_ref oldest = queue_->displace();
        if (!oldest) return;  // a pop was faster: there is room
        ++done.displaced_heaps;
        (oldest->status() == heap_status::incomplete ? done.displaced_packets_incomplete
                                                     : done.displaced_packets_complete) += oldest->packets();
    }

    const std::shared_ptr<heap_queue> queue_;
    const std::optional<full_policy> chosen_;
    const incomplete_policy incomplete_;
    full_policy policy_ = full_policy::wait;
};

}  // namespace

void ring_stream_config::validate() const {
    constexpr std::size_t heaps_max = 1 << 20;
    if (heaps < 1 || heaps > heaps_max)
        throw config_error("heaps", std::to_string(heaps), "must be 1 to " + std::to_string(heaps_max));
    stream.validate();
}

ring_stream::ring_stream(io_context_ref context, const ring_stream_config& config)
    : ring_stream(std::move(context), config,
                  (config.validate(), std::make_shared<heap_queue>(config.heaps, reserve_of(config.stream)))) {}

ring_stream::ring_stream(io_context_ref context, const ring_stream_config& config, std::shared_ptr<heap_queue> queue)
    : stream_base(std::move(context), config.stream, std::make_unique<ring_outlet>(queue, config)),
      source_(std::move(queue)) {}

}  // namespace verbcast
