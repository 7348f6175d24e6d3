// SPDX-License-Identifier: BSD-3-Clause
#include "src/udp_reader.hpp"

#include <climits>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include <boost/system/error_code.hpp>
#include <fmt/format.h>
#include <net/if.h>

#include <verbcast/error.hpp>
#include <verbcast/stop_reason.hpp>

#include "src/reader_checks.hpp"
#include "verbs/ip_address.hpp"
#include "verbs/os_error.hpp"

namespace verbcast {
namespace {

constexpr std::uint64_t buffer_bytes_limit = 1_GiB;
constexpr std::size_t datagram_bytes_max = 65535;

void check_interface(const std::string& interface, const std::vector<group>& groups) {
    if (interface.size() >= IFNAMSIZ)
        throw config_error("interface", interface,
                           fmt::format("must be a name of at most {} characters", IFNAMSIZ - 1));
    if (!interface.empty()) return;
    for (const group& each : groups)
        if (verbs::ip_address::from_string(each.address)->needs_interface())
            throw config_error("interface", "\"\"", "must be named for the link-local address " + each.name());
}

}  // namespace

void udp_reader_config::validate() const {
    check_groups(groups);
    check_interface(interface, groups);
    check_range("buffer_bytes", buffer_bytes, std::uint64_t{1}, buffer_bytes_limit);
    check_range("packet_bytes_max", packet_bytes_max, std::size_t{1}, datagram_bytes_max);
    check_range("batch_packets_max", batch_packets_max, std::size_t{1}, std::size_t{1} << 20);
    if (place) place->validate();
}

void udp_reader::endpoint::detach() noexcept {
    if (readable.is_open()) readable.release();
}

udp_reader::udp_reader(boost::asio::io_context& context, const udp_reader_config& config,
                       std::optional<int> memory_node)
    : context_(context), config_(config), clock_(config.timestamps ? clock_source::kernel : clock_source::none),
      memory_node_(memory_node) {}

std::string udp_reader::description() const {
    std::string text = groups_text("udp", config_.groups);
    if (!config_.interface.empty()) text += " on " + config_.interface;
    return text;
}

void udp_reader::open() {
    verbs::joining_interface on;
    if (!config_.interface.empty()) on = {config_.interface, verbs::interface_index(config_.interface)};
    const udp_socket_options options{
        .buffer_bytes = config_.buffer_bytes, .gro = config_.gro, .timestamps = config_.timestamps};
    endpoints_.reserve(config_.groups.size());
    bool gro = false;
    for (const group& each : config_.groups) {
        endpoints_.emplace_back(udp_socket(each, on, options), context_);
        gro = gro || endpoints_.back().socket.gro();
    }
    buffers_.emplace(config_.packet_bytes_max, gro, memory_node_);
    found_.groups.reserve(endpoints_.size() + 1);
}

void udp_reader::start(handler_context context, stream_base::add_packet_handler& batch) {
    warn_of_small_buffers(batch);
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        endpoint& each = endpoints_[i];
        each.group = batch.add_group(config_.groups[i].name());
        batch.add_kernel_drops(each.group, 0);
        each.readable.assign(each.socket.get());
        arm(handler_context(context.state()), i);
    }
    started_ = true;
}

void udp_reader::warn_of_small_buffers(stream_base::add_packet_handler& batch) const {
    const std::uint64_t granted = endpoints_.front().socket.buffer_bytes();
    const std::uint64_t wanted = config_.buffer_bytes < buffer_bytes_limit ? config_.buffer_bytes : INT_MAX / 2;
    if (granted >= wanted) return;
    batch.warn(
        fmt::format("{}: the kernel grants a receive buffer of {} where {} were asked for, and bursts may be lost: "
                    "run sysctl -w net.core.rmem_max={}, or give the process CAP_NET_ADMIN",
                    description(), in_units(granted), in_units(wanted), wanted));
}

void udp_reader::arm(handler_context context, std::size_t index) {
    endpoints_[index].readable.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        bind_handler(std::move(context), [this, index](handler_context next, stream_base::add_packet_handler& batch,
                                                       const boost::system::error_code& error) {
            if (stopped_) return;
            if (error) return fail(batch, index, error.value());
            receive(std::move(next), batch, index);
        }));
}

void udp_reader::receive(handler_context context, stream_base::add_packet_handler& batch, std::size_t index) {
    if (stopped_ || !take(batch, index) || batch.stopping()) return;
    if (buffers_->empty() && !batch.must_pause()) return arm(std::move(context), index);
    batch.pause(std::move(context), context_,
                [this, index](handler_context next, stream_base::add_packet_handler& next_batch) {
                    receive(std::move(next), next_batch, index);
                });
}

/// False when the socket failed, and the reader has ended. Stops short when there is no room, or the stream stops.
bool udp_reader::take(stream_base::add_packet_handler& batch, std::size_t index) {
    // What was left in the buffers when there was no room may be of another socket, whose handler is parked too.
    std::size_t taken = 0;
    if (!give(batch, taken)) return true;
    endpoint& from = endpoints_[index];
    bool more = true;
    while (more && taken < config_.batch_packets_max && !batch.must_pause()) {
        const receive_buffers::result got =
            buffers_->receive(from.socket.get(), from.group, config_.batch_packets_max - taken);
        if (got.error != 0) {
            fail(batch, index, got.error);
            return false;
        }
        more = got.more_likely;
        if (!give(batch, taken)) break;
    }
    // After the queue was read: what it dropped while it was full is then known even if nothing comes any more.
    if (const std::uint64_t dropped = from.socket.take_drops()) batch.add_kernel_drops(from.group, dropped);
    return true;
}

/// False when not all was taken.
bool udp_reader::give(stream_base::add_packet_handler& batch, std::size_t& taken) {
    for (;;) {
        const std::span<const datagram> next = buffers_->front();
        if (next.empty()) return true;
        const std::size_t count = batch.add_packets(next, clock_);
        buffers_->pop(count);
        taken += count;
        if (count < next.size()) return false;
    }
}

void udp_reader::fail(stream_base::add_packet_handler& batch, std::size_t index, int error) {
    const verbs::os_error reason(error, fmt::format("recvmmsg({})", config_.groups[index].name()));
    batch.end_reader(*this, stop_reason::from(std::make_exception_ptr(reason)));
}

void udp_reader::stop() noexcept {
    stopped_ = true;
    for (endpoint& each : endpoints_) each.detach();
}

reader::release_result udp_reader::release() noexcept {
    if (!started_) {  // stopped before its first handler: nothing has been received for any group
        for (endpoint& each : endpoints_) each.socket.close();
        return {};
    }
    found_.groups.push_back({.group = buffers_->group(), .ignored_after_stop = count_left()});
    for (endpoint& each : endpoints_) {
        release_result::group_result of{.group = each.group, .kernel_drops = each.socket.take_drops()};
        if (each.socket.refuse_more())
            while (buffers_->receive(each.socket.get(), each.group, SIZE_MAX).buffers != 0)
                of.ignored_after_stop += count_left();
        each.socket.close();
        found_.groups.push_back(of);  // has room
    }
    return std::move(found_);
}

/// Empties the buffers, and says how many datagrams that were.
std::uint64_t udp_reader::count_left() noexcept {
    std::uint64_t count = 0;
    for (std::span<const datagram> next = buffers_->front(); !next.empty(); next = buffers_->front()) {
        count += next.size();
        buffers_->pop(next.size());
    }
    return count;
}

bool stream_base::add_reader(const udp_reader_config& config) {
    config.validate();
    const std::optional<int> memory_node =
        config.place ? place_here(*config.place, 1).memory_node : placed().memory_node;
    return add_reader(std::make_unique<udp_reader>(context(), config, memory_node));
}

}  // namespace verbcast
