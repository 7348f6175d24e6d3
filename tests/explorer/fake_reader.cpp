// SPDX-License-Identifier: BSD-3-Clause
#include "tests/explorer/fake_reader.hpp"

#include <exception>
#include <stdexcept>

#include "src/sync.hpp"

namespace verbcast::explorer {

fake_reader::~fake_reader() {
    ++log_.destroyed;
    run_.check(log_.destroyed == 1, "a reader is destroyed twice");
    run_.check(log_.started == 0 || log_.stopped == 1, "a reader is destroyed that was started and not stopped");
    run_.check(log_.stopped == log_.released, "a reader is destroyed that was stopped and not released");
}

void fake_reader::open() {
    ++log_.opened;
    run_.yield("open");
}

void fake_reader::start(handler_context context, stream_base::add_packet_handler& batch) {
    ++log_.started;
    run_.check(log_.opened == 1 && log_.started == 1 && log_.stopped == 0, "start() is not between open() and stop()");
    receive(std::move(context), batch);
}

void fake_reader::receive(handler_context context, stream_base::add_packet_handler& batch) {
    run_.check(log_.stopped == 0, "a handler runs after its reader's stop()");
    if (batch_ < plan_.batches.size()) {
        std::vector<datagram> datagrams;
        for (std::size_t i = packet_; i < plan_.batches[batch_].size(); ++i) {
            const test::bytes& packet = plan_.batches[batch_][i];
            datagrams.push_back({.data = packet.data(), .size = static_cast<std::uint32_t>(packet.size())});
        }
        log_.threw = true;
        const std::size_t taken = batch.add_packets(datagrams);
        log_.threw = false;
        log_.fed += taken;
        packet_ += taken;
        if (packet_ == plan_.batches[batch_].size()) {
            ++batch_;
            packet_ = 0;
        }
    }
    if (!batch.stopping()) go_on(std::move(context), batch);
}

void fake_reader::go_on(handler_context context, stream_base::add_packet_handler& batch) {
    const auto next = [this](handler_context next_context, stream_base::add_packet_handler& next_batch) {
        receive(std::move(next_context), next_batch);
    };
    if (packet_ != 0 || (batch_ < plan_.batches.size() && batch.must_pause())) {
        batch.pause(std::move(context), context_, next);
    } else if (batch_ < plan_.batches.size()) {
        sync::post(context_, bind_handler(std::move(context), next));
    } else if (plan_.fails) {
        const std::runtime_error reset("connection reset");
        batch.end_reader(*this, stop_reason::from(std::make_exception_ptr(reset)));
    } else if (plan_.ends) {
        batch.end_reader(*this, {.what = stop_reason::kind::readers_ended, .message = "end of the plan"});
    } else {
        auto handler = bind_handler(std::move(context), next);
        waiting_ = std::make_unique<operation_with<decltype(handler)>>(std::move(handler));
    }
}

// As closing a socket does: what waits completes, in its own time.
void fake_reader::stop() noexcept {  // NOLINT(bugprone-exception-escape): without memory the test may end
    ++log_.stopped;
    run_.check(log_.stopped == 1, "stop() is called twice");
    if (waiting_) sync::post(context_, [aborted = std::move(waiting_)] { aborted->complete(); });
}

reader::release_result fake_reader::release() noexcept {
    ++log_.released;
    run_.check(log_.released == 1 && log_.stopped == 1, "release() is not called once, after stop()");
    run_.yield("release");
    run_.check(log_.destroyed == 0, "a reader is destroyed while it is being released");
    if (plan_.ignored_after_stop == 0) return {};
    return {.groups = {{.group = 0, .ignored_after_stop = plan_.ignored_after_stop}}};
}

test::bytes small_heap(std::uint64_t cnt) {
    return test::wire_packet{.heap_cnt = cnt, .heap_length = 8, .payload = test::pattern(8)}.encode();
}

test::bytes half_heap(std::uint64_t cnt) {
    return test::wire_packet{.heap_cnt = cnt, .heap_length = 16, .payload = test::pattern(8)}.encode();
}

test::bytes stop_heap(std::uint64_t cnt) { return test::stop_packet(cnt).encode(); }

}  // namespace verbcast::explorer
