// SPDX-License-Identifier: BSD-3-Clause
#include "src/memory_reader.hpp"

#include <memory>
#include <utility>

#include <verbcast/error.hpp>
#include <verbcast/stop_reason.hpp>

#include "src/sync.hpp"

namespace verbcast {
namespace {

/// Then other handlers have their turn.
constexpr std::size_t batch_packets_max = 1024;

}  // namespace

void memory_reader_config::validate() const {
    if (!bytes.data() && !bytes.empty()) throw config_error("bytes", "null", "must be readable memory");
}

void memory_reader::start(handler_context context, stream_base::add_packet_handler& batch) {
    read(std::move(context), batch);
}

void memory_reader::read(handler_context context, stream_base::add_packet_handler& batch) {
    for (std::size_t packets = 0; packets < batch_packets_max && !left_.empty(); ++packets) {
        const std::size_t taken = batch.add_packet(left_, 0);
        if (taken == 0) break;
        left_ = left_.subspan(taken);
    }
    const auto go_on = [this](handler_context next, stream_base::add_packet_handler& next_batch) {
        read(std::move(next), next_batch);
    };
    if (batch.stopping()) return;
    if (left_.empty())
        batch.end_reader(*this, {.what = stop_reason::kind::readers_ended, .message = "end of input"});
    else if (batch.must_pause())
        batch.pause(std::move(context), context_, go_on);
    else
        sync::post(context_, bind_handler(std::move(context), go_on));
}

bool stream_base::add_reader(const memory_reader_config& config) {
    config.validate();
    return add_reader(std::make_unique<memory_reader>(context(), config));
}

}  // namespace verbcast
