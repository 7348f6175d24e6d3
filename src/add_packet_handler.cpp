// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/add_packet_handler.hpp>

#include <utility>

#include "src/shared_state.hpp"
#include "src/stream_core.hpp"

namespace verbcast {

stream_base::add_packet_handler::add_packet_handler(shared_state& state) : state_(state) {
    if (state_.stop_is_requested()) return;  // stand back: someone wants the lock to stop the stream
    state_.queue_mutex.lock();
    core_ = state_.stream;
    if (!core_) {
        state_.queue_mutex.unlock();
        return;
    }
    sync::this_thread().in_batch_of = &state_;
    core_->begin_batch();
}

stream_base::add_packet_handler::~add_packet_handler() {
    if (!core_) return;
    core_->end_batch();
    sync::this_thread().in_batch_of = nullptr;
    state_.queue_mutex.unlock();
    // From here on the stream and its readers may be gone; the state is kept by the frame that runs the handler.
    state_.look_again();
    stop_marked_streams();
}

std::size_t stream_base::add_packet_handler::add_packets(std::span<const datagram> datagrams, clock_source clock) {
    return core_->add(datagrams, clock);
}

std::size_t stream_base::add_packet_handler::add_packet(std::span<const std::byte> bytes, std::uint32_t group) {
    return core_->add_front(bytes, group);
}

void stream_base::add_packet_handler::ignore(std::uint32_t group, ignore_reason reason, std::uint64_t count) noexcept {
    core_->ignore(group, reason, count);
}

bool stream_base::add_packet_handler::stopping() const noexcept { return core_->stopping(); }
bool stream_base::add_packet_handler::must_pause() const noexcept { return core_->must_pause(); }

void stream_base::add_packet_handler::park(boost::asio::io_context& executor, std::unique_ptr<parked_handler> parked) {
    core_->park(executor, std::move(parked));
}

std::uint32_t stream_base::add_packet_handler::add_group(std::string_view name) { return core_->add_group(name); }

void stream_base::add_packet_handler::add_kernel_drops(std::uint32_t group, std::uint64_t buffers) noexcept {
    core_->add_kernel_drops(group, buffers);
}

void stream_base::add_packet_handler::add_nic_drops(std::uint32_t group, std::uint64_t frames) noexcept {
    core_->add_nic_drops(group, frames);
}

void stream_base::add_packet_handler::set_port(const port_stats& now) { core_->set_port(now); }
void stream_base::add_packet_handler::count_revival() noexcept { core_->count_revival(); }

void stream_base::add_packet_handler::end_reader(const reader& ended, stop_reason why) {
    core_->end_reader(ended, std::move(why));
}

void stream_base::add_packet_handler::fail(std::exception_ptr error) noexcept { core_->fail(std::move(error)); }

void stream_base::add_packet_handler::warn(std::string_view text) { core_->report(stream_event::kind::warning, text); }

}  // namespace verbcast
