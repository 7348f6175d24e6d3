// SPDX-License-Identifier: BSD-3-Clause
#include "storms/storm.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <verbcast/ring_stream.hpp>
#include <verbcast/stream.hpp>
#include <verbcast/thread_pool.hpp>

#include "support/flood_reader.hpp"

namespace verbcast::test {
namespace {

using namespace std::chrono_literals;

/// What a storm's callbacks see and do. Outlives its stream.
struct watch {
    std::atomic<std::uint64_t> packets{0};
    std::atomic<std::uint64_t> delivered{0};  ///< packets in heaps that a sink got
    std::atomic<bool> in_packet{false};
    std::atomic<bool> in_callback{false};
    std::atomic<bool> none_may_run{false};
    std::atomic<std::uint64_t> late{0};
    std::atomic<std::uint64_t> last_calls{0};
    std::atomic<stream_base*> stops{nullptr};  ///< to be stopped by the callbacks
    std::atomic<bool> throws{false};

    void called() {
        if (none_may_run.load()) late.fetch_add(1);
    }
    void placed(const payload_placement& placing) {
        called();
        in_packet.store(true, std::memory_order_relaxed);
        std::copy(placing.source.payload.begin(), placing.source.payload.end(), placing.destination.begin());
        packets.fetch_add(1, std::memory_order_relaxed);
        act();
        in_packet.store(false, std::memory_order_relaxed);
    }
    void accepted(const heap_ref& heap) {
        called();
        in_callback.store(true, std::memory_order_relaxed);
        std::this_thread::yield();
        in_callback.store(false, std::memory_order_relaxed);
        delivered.fetch_add(heap->packets(), std::memory_order_relaxed);
    }

private:
    void act() const {
        if (stream_base* const stopped = stops.load(std::memory_order_acquire)) stopped->stop();
        if (throws.load(std::memory_order_relaxed)) throw std::runtime_error("thrown by a storm");
    }
};

/// A user's sink, with members that die with it.
class keeping_sink final : public heap_sink {
public:
    explicit keeping_sink(watch& watched) : watched_(watched) {}
    void accept(heap_ref heap) override {
        watched_.accepted(heap);
        latest_.push_back(std::move(heap));
        if (latest_.size() > 8) latest_.erase(latest_.begin());
    }
    void stopped(const stop_reason&) noexcept override {
        watched_.called();
        watched_.last_calls.fetch_add(1);
        latest_.clear();
    }

private:
    watch& watched_;
    std::vector<heap_ref> latest_;
};

/// Takes heaps from a ring by its own thread, in one of the ways there are, until the end.
class ring_consumer {
public:
    ring_consumer(heap_source source, consumer how) : source_(std::move(source)) {
        if (how == consumer::blocks)
            thread_ = std::thread([this] {
                while (source_.pop()) ++popped_;
            });
        if (how == consumer::waits_asynchronously) {
            pop_next();
            thread_ = std::thread([this] { context_.run(); });
        }
    }
    /// After the stream's end.
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    ~ring_consumer() { join(); }

private:
    void pop_next() {
        source_.async_pop(
            boost::asio::bind_executor(context_.get_executor(), [this](boost::system::error_code error, heap_ref) {
                if (error) return;
                ++popped_;
                pop_next();
            }));
    }

    heap_source source_;
    boost::asio::io_context context_;
    std::uint64_t popped_ = 0;
    std::thread thread_;
};

constexpr std::size_t ring_heaps = 4;

class storm {
public:
    storm(traffic& feeds, const storm_plan& plan) : feeds_(feeds), plan_(plan), pool_({.threads = plan.threads}) {}

    storm_result run() {
        make_stream();
        if (plan_.ends == ending::other_callback) make_partner();
        feeds_.begin(*receiver_);
        arrive();
        result_.counts = watch_.packets.load() > 0;
        if (ends_from_outside()) {
            aim();
            result_.hit = now();
        }
        end();
        feeds_.end();
        if (consumer_) consumer_->join();
        check();
        return result_;
    }

private:
    bool ends_from_outside() const { return plan_.ends <= ending::destroy_on_io_thread; }

    void make_stream() {
        const stream_config config{.place_payload = [this](const payload_placement& each) { watch_.placed(each); }};
        if (plan_.into == outlet::function) {
            receiver_ = std::make_shared<stream>(
                pool_, [this](const heap_ref& heap) { watch_.accepted(heap); }, config);
        } else if (plan_.into == outlet::sink) {
            receiver_ = std::make_shared<stream>(pool_, std::make_unique<keeping_sink>(watch_), config);
        } else {
            const auto policy = plan_.into == outlet::ring_wait          ? full_policy::wait
                                : plan_.into == outlet::ring_drop_newest ? full_policy::drop_newest
                                                                         : full_policy::drop_oldest;
            auto ring = std::make_shared<ring_stream>(
                pool_, ring_stream_config{.stream = config, .heaps = ring_heaps, .when_full = policy});
            source_.emplace(ring->source());
            consumer_.emplace(ring->source(), plan_.reads);
            receiver_ = std::move(ring);
        }
    }

    /// Another stream, on the same threads, of which each callback stops this one, and the other way round.
    void make_partner() {
        partner_.emplace(pool_, [this](const heap_ref&) {
            if (stream_base* const other = partner_stops_.load(std::memory_order_acquire)) other->stop();
        });
        partner_->add_reader(std::make_unique<flood_reader>(pool_.context(), flood_packets()));
    }

    /// Until packets have arrived, or the input has ended.
    void arrive() {
        while (watch_.packets.load(std::memory_order_relaxed) < plan_.packets_before &&
               !receiver_->reason().stopped() && !at_full_ring())
            std::this_thread::yield();
    }
    bool at_full_ring() const { return source_ && source_->size() >= ring_heaps; }

    phase now() const {
        if (receiver_->reason().stopped()) return phase::ended_already;
        if (watch_.in_callback.load(std::memory_order_relaxed)) return phase::in_a_callback;
        if (watch_.in_packet.load(std::memory_order_relaxed)) return phase::in_a_packet;
        return at_full_ring() ? phase::ring_full : phase::between_packets;
    }
    void aim() {
        if (plan_.aim == phase::ended_already && !feeds_.ends()) return;
        const auto give_up = std::chrono::steady_clock::now() + (plan_.aim == phase::ended_already ? 100ms : 5ms);
        while (now() != plan_.aim && std::chrono::steady_clock::now() < give_up) continue;
    }

    void end() {
        switch (plan_.ends) {
        case ending::stop: receiver_->stop(); break;
        case ending::stop_by_three: {
            std::vector<std::thread> others;
            for (int i = 0; i < 2; ++i) others.emplace_back([this] { receiver_->stop(); });
            receiver_->stop();
            for (std::thread& each : others) each.join();
            break;
        }
        case ending::destroy: receiver_.reset(); break;
        case ending::destroy_on_io_thread: destroy_on_io_thread(); break;
        case ending::own_callback:
            watch_.stops.store(receiver_.get(), std::memory_order_release);
            wait_for_end(phase::from_own_callback);
            break;
        case ending::throws:
            watch_.throws = true;
            wait_for_end(phase::callback_throws);
            break;
        case ending::other_callback:
            watch_.stops.store(&*partner_, std::memory_order_release);
            partner_stops_.store(receiver_.get(), std::memory_order_release);
            wait_for_end(phase::from_other_callback);
            break;
        }
        watch_.none_may_run = true;
    }

    void destroy_on_io_thread() {
        std::binary_semaphore gone{0};
        boost::asio::post(pool_.context(), [last = std::move(receiver_), &gone]() mutable {
            last.reset();
            gone.release();
        });
        gone.acquire();
    }

    /// The callbacks end it: unless none comes any more, because the ring is full, or the partner was stopped first.
    void wait_for_end(phase hit) {
        const auto give_up = std::chrono::steady_clock::now() + 50ms;
        while (!receiver_->reason().stopped() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
        const stop_reason::kind why = receiver_->reason().what;
        result_.hit = hit;
        if (why == stop_reason::kind::running) result_.hit = now();
        if (why == stop_reason::kind::readers_ended) result_.hit = phase::ended_already;
        receiver_->stop();
        if (partner_) partner_->stop();
    }

    void check() {
        if (receiver_) {
            if (!receiver_->reason().stopped()) result_.wrong += "it has not stopped\n";
            if (!receiver_->wait_released(std::chrono::steady_clock::now() + 30s))
                result_.wrong += "it is not released\n";
            const packet_account account = receiver_->stats().account;
            if (!account.balanced()) result_.wrong += "its account does not balance\n";
            if (!source_ && account.delivered_complete + account.delivered_incomplete != watch_.delivered)
                result_.wrong += "packets were delivered that its sink did not get\n";
        }
        receiver_.reset();
        if (watch_.late != 0) result_.wrong += fmt::format("{} callbacks ran after the stop\n", watch_.late.load());
        if (plan_.into == outlet::sink && watch_.last_calls != 1)
            result_.wrong += "its sink was not told once of the stop\n";
    }

    traffic& feeds_;
    const storm_plan plan_;
    storm_result result_;
    watch watch_;
    std::atomic<stream_base*> partner_stops_{nullptr};
    thread_pool pool_;
    std::shared_ptr<stream_base> receiver_;
    std::optional<stream> partner_;
    std::optional<heap_source> source_;
    std::optional<ring_consumer> consumer_;
};

}  // namespace

storm_plan storm_plan::draw(std::mt19937_64& random) {
    const auto below = [&random](std::uint64_t bound) { return random() % bound; };
    storm_plan plan;
    plan.into = static_cast<outlet>(below(outlet_names.size()));
    plan.reads = static_cast<consumer>(below(3));
    plan.ends = static_cast<ending>(below(7));
    plan.threads = 1 + below(2);
    constexpr std::array aims = {phase::between_packets, phase::in_a_packet, phase::in_a_callback, phase::ring_full,
                                 phase::ended_already};
    plan.aim = aims[below(aims.size())];
    plan.packets_before = 1 + below(200);
    return plan;
}

std::string storm_plan::text() const {
    constexpr std::array consumers = {"a thread pops", "asynchronous pops", "nobody reads"};
    constexpr std::array endings = {
        "stop()",       "stop() by three threads", "destroyed",      "destroyed on an io thread",
        "own callback", "another's callback",      "callback throws"};
    const bool ring = into >= outlet::ring_wait;
    return fmt::format("{}{}{}, {} threads, {} after {} packets", outlet_names[static_cast<std::size_t>(into)],
                       ring ? ", " : "", ring ? consumers[static_cast<std::size_t>(reads)] : "", threads,
                       endings[static_cast<std::size_t>(ends)], packets_before);
}

storm_result run_storm(traffic& feeds, const storm_plan& plan) { return storm(feeds, plan).run(); }

}  // namespace verbcast::test
