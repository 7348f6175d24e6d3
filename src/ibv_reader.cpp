// SPDX-License-Identifier: BSD-3-Clause
#include "src/ibv_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include <boost/system/error_code.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include <verbcast/stop_reason.hpp>

#include "src/frame_reason.hpp"
#include "src/reader_checks.hpp"
#include "src/sync.hpp"
#include "verbs/file_descriptor.hpp"
#include "verbs/ip_address.hpp"
#include "verbs/os_error.hpp"
#include "verbs/verbs_error.hpp"

namespace verbcast {
namespace {

using stream_descriptor = boost::asio::posix::stream_descriptor;

constexpr std::uint64_t buffer_bytes_limit = std::uint64_t{64} << 30;
constexpr std::size_t datagram_bytes_max = 65507;
constexpr std::size_t packet_bytes_usual = 9200;
constexpr std::uint16_t vlan_max = 4094;
constexpr std::chrono::seconds counters_interval{1};
constexpr std::chrono::milliseconds drain_limit{100};
/// Fetches the headers of frames while those before them are looked at.
constexpr std::size_t prefetch_distance = 4;

std::vector<verbs::flow_match> matches_of(const ibv_reader_config& config, const verbs::host_interface& on) {
    std::vector<verbs::flow_match> matches;
    matches.reserve(config.groups.size());
    for (const group& each : config.groups) {
        verbs::flow_match match;
        match.destination = verbs::ip_address::from_string(each.address).value();
        match.port = each.port;
        if (each.source) match.source = verbs::ip_address::from_string(*each.source);
        match.vlan = config.vlan ? config.vlan : on.vlan;
        match.destination_mac = match.destination.is_multicast() ? verbs::multicast_mac(match.destination) : on.mac;
        matches.push_back(match);
    }
    return matches;
}

/// What a datagram queue pair cannot do.
void check_datagrams(const ibv_reader_config& config) {
    std::set<std::pair<std::string, std::optional<std::string>>> seen;
    for (std::size_t i = 0; i < config.groups.size(); ++i) {
        const group& each = config.groups[i];
        const std::string field = fmt::format("groups[{}]", i);
        if (!verbs::ip_address::from_string(each.address)->is_multicast())
            throw config_error(field, each.name(), "must be a multicast group: transport ud has no other datagrams");
        if (!seen.emplace(each.address, each.source).second)
            throw config_error(field, each.name(), "is there already: with transport ud the port tells nothing apart");
    }
    if (config.vlan)
        throw config_error("vlan", fmt::format("{}", *config.vlan),
                           "is for transport raw; with ud name the VLAN's interface");
}

/// A datagram of RoCE is one packet of the network.
std::size_t packet_bytes_of(const ibv_reader_config& config, const verbs::device& through) {
    if (config.transport == ibv_reader_config::queue_transport::raw)
        return config.packet_bytes_max.value_or(packet_bytes_usual);
    const std::size_t mtu = through.active_mtu_bytes();
    const std::size_t wanted = config.packet_bytes_max.value_or(mtu);
    if (wanted > mtu)
        throw config_error(
            "packet_bytes_max", fmt::format("{}", wanted),
            fmt::format("{} carries {} bytes in a datagram, its active MTU: ask for no more, or raise the "
                        "MTU of {} (RoCE takes 256 to 4096, and some 60 bytes less than the interface)",
                        through.port_name(), mtu, through.interface().name));
    return wanted;
}

/// Asio closes what it waits on, and the verbs object closes its own.
void assign_duplicate(stream_descriptor& to, int descriptor) {
    // Not for programs that this one starts: they would keep the device open.
    verbs::file_descriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
    if (!copy) throw verbs::os_error(errno, "fcntl(F_DUPFD_CLOEXEC)", "raise the limit of open files with ulimit -n");
    to.assign(copy.get());
    static_cast<void>(copy.release());
}

void close(stream_descriptor& descriptor) noexcept {
    boost::system::error_code ignored;
    static_cast<void>(descriptor.close(ignored));
}

}  // namespace

void ibv_reader_config::validate() const {
    check_groups(groups);
    if (interface.empty())
        throw config_error("interface", "\"\"", "must name the network interface or the RDMA device to receive from");
    for (std::size_t i = 0; i < groups.size(); ++i)
        if (verbs::ip_address::from_string(groups[i].address)->is_unspecified())
            throw config_error(fmt::format("groups[{}]", i), groups[i].name(),
                               "must be one address: the NIC compares it");
    if (transport == queue_transport::ud) check_datagrams(*this);
    if (vlan) check_range<std::uint16_t>("vlan", *vlan, 1, vlan_max);
    check_range("buffer_bytes", buffer_bytes, std::uint64_t{1}, buffer_bytes_limit);
    if (packet_bytes_max) check_range("packet_bytes_max", *packet_bytes_max, std::size_t{1}, datagram_bytes_max);
    check_range("completion_vector", completion_vector, 0, 4095);
    check_range("poll_rounds_max", poll_rounds_max, std::size_t{1}, std::size_t{1} << 20);
}

ibv_reader::ibv_reader(boost::asio::io_context& context, const ibv_reader_config& config)
    : context_(context), config_(config), completions_(context), asynchronous_(context), clock_(context) {}

std::string ibv_reader::description() const {
    std::string text = groups_text("ibv", config_.groups) + " on " + config_.interface;
    if (queue_) text += " (" + queue_->owner().port_name() + ")";
    return text;
}

void ibv_reader::open() {
    verbs::device device(config_.interface);
    if (config_.completion_vector >= device.can().completion_vectors)
        throw config_error("completion_vector", fmt::format("{}", config_.completion_vector),
                           fmt::format("{} has {} of them", device.name(), device.can().completion_vectors));
    using policy = ibv_reader_config::checksum_policy;
    always_verify_ = config_.checksums == policy::always;
    const bool verifies = always_verify_ || (config_.checksums == policy::nic && device.can().checks_checksums);
    unvouched_ = verifies ? verbs::checksum_check::verify : verbs::checksum_check::skip;
    const std::vector<verbs::flow_match> matches = matches_of(config_, device.interface());
    const std::size_t packet_bytes = packet_bytes_of(config_, device);
    queue_.emplace(
        std::move(device),
        verbs::frame_queue_options{.buffer_bytes = config_.buffer_bytes,
                                   .datagram_bytes_max = packet_bytes,
                                   .events = !config_.polling,
                                   .vector = config_.completion_vector,
                                   .timestamps = config_.timestamps,
                                   .priority = config_.steering_priority,
                                   .datagram_key = takes_datagrams() ? std::optional(config_.queue_key) : std::nullopt},
        matches);
    events_.emplace(queue_->owner());
    losses_.emplace(*queue_);
    arrival_clock_ = queue_->timestamps() ? clock_source::hardware : clock_source::none;
    if (!polls()) assign_duplicate(completions_, queue_->descriptor());
    assign_duplicate(asynchronous_, events_->descriptor());
    left_.resize(config_.groups.size() + 1);
    found_.groups.reserve(config_.groups.size() + 1);
}

void ibv_reader::start(handler_context context, stream_base::add_packet_handler& batch) {
    for (std::size_t i = 0; i < config_.groups.size(); ++i) {
        groups_.push_back(batch.add_group(config_.groups[i].name()));
        if (losses_->counted(i)) batch.add_nic_drops(groups_.back(), 0);
    }
    batch.set_port(losses_->port());
    warn_of_small_buffer(batch);
    started_ = true;
    wait_for_events(handler_context(context.state()));
    wait_for_clock(handler_context(context.state()));
    // Frames may have come since the queue was opened, and none of them raises an event.
    receive(std::move(context), batch);
}

void ibv_reader::warn_of_small_buffer(stream_base::add_packet_handler& batch) const {
    if (queue_->slots() >= config_.buffer_bytes / queue_->slot_bytes()) return;
    batch.warn(fmt::format("{}: the device takes at most {} receives, so {} of the {} of buffer are used",
                           description(), queue_->slots(), in_units(queue_->slots() * queue_->slot_bytes()),
                           in_units(config_.buffer_bytes)));
}

// --- frames ---

void ibv_reader::wait_for_completions(handler_context context) {
    completions_.async_wait(
        stream_descriptor::wait_read,
        bind_handler(std::move(context), [this](handler_context next, stream_base::add_packet_handler& batch,
                                                const boost::system::error_code&) {
            // Cancelled by handle_event() to wake it, or by stop(), which it then finds.
            receive(std::move(next), batch);
        }));
}

/// Rounds until the queue is empty or others must have their turn. It is armed before the last one: an armed queue
/// raises no event for what is in it already, so only when that round finds nothing is it safe to wait.
void ibv_reader::receive(handler_context context, stream_base::add_packet_handler& batch) {
    if (stopped_) return;
    if (!polls()) queue_->consume_events();
    outcome last = drain(batch);
    if (!polls() && (last == outcome::some || last == outcome::empty)) {
        if (const int error = queue_->arm()) return fail(batch, error, "ibv_req_notify_cq");
        last = take_batch(batch);
    }
    go_on(std::move(context), batch, last);
}

ibv_reader::outcome ibv_reader::drain(stream_base::add_packet_handler& batch) {
    outcome last = outcome::some;
    for (std::size_t round = 1; last == outcome::some && round < config_.poll_rounds_max; ++round)
        last = take_batch(batch);
    return last;
}

void ibv_reader::go_on(handler_context context, stream_base::add_packet_handler& batch, outcome last) {
    const auto again = [this](handler_context next, stream_base::add_packet_handler& next_batch) {
        receive(std::move(next), next_batch);
    };
    switch (last) {
    case outcome::ended: return;
    case outcome::full: return batch.pause(std::move(context), context_, again);
    case outcome::some: return sync::post(context_, bind_handler(std::move(context), again));
    case outcome::empty: break;
    }
    losses_->settle();
    const bool was_dead = dead_;
    if (was_dead && !revive(batch)) return;
    if (was_dead || polls())  // a queue that comes back is looked at before it is waited for
        sync::post(context_, bind_handler(std::move(context), again));
    else
        wait_for_completions(std::move(context));
}

ibv_reader::outcome ibv_reader::take_batch(stream_base::add_packet_handler& batch) {
    if (first_ == end_) {
        const int count = queue_->poll();
        if (count < 0) {
            fail(batch, -count, "ibv_poll_cq");
            return outcome::ended;
        }
        if (count == 0) return outcome::empty;
        sort(batch);
    }
    first_ += batch.add_packets({&datagrams_[first_], end_ - first_}, arrival_clock_);
    if (first_ != end_) return batch.stopping() ? outcome::ended : outcome::full;
    if (dead_) return outcome::some;  // its slots are posted again when it is revived
    if (const int error = queue_->recycle()) {
        fail(batch, error, "ibv_post_recv");
        return outcome::ended;
    }
    return batch.stopping() ? outcome::ended : outcome::some;
}

/// Makes datagrams of the slots that are done, and counts what is none.
void ibv_reader::sort(stream_base::add_packet_handler& batch) {
    const std::span<const verbs::completion> done = queue_->done();
    first_ = end_ = 0;
    for (std::size_t i = 0; i < done.size(); ++i) {
        if (i + prefetch_distance < done.size()) queue_->prefetch(done[i + prefetch_distance]);
        const verbs::completion& each = done[i];
        if (each.status != verbs::slot_status::received) {
            sort_failed(batch, each.status);
            continue;
        }
        const bool vouched = each.checksums_good && !always_verify_;
        const verbs::sorted_frame frame = queue_->sort(each, vouched ? verbs::checksum_check::skip : unvouched_);
        if (frame.rule != verbs::sorted_frame::no_rule) losses_->arrived(frame.rule);
        if (frame.kind == verbs::frame_kind::udp && frame.rule != verbs::sorted_frame::no_rule)
            datagrams_[end_++] = {frame.payload, frame.payload_bytes, groups_[frame.rule], arrival_time(each.time_ns)};
        else
            batch.ignore(group_of(frame.rule), reason_of(frame.kind));
    }
}

void ibv_reader::sort_failed(stream_base::add_packet_handler& batch, verbs::slot_status status) {
    if (status != verbs::slot_status::too_long) {
        dead_ = true;
        return;
    }
    // Its bytes are not here, so only a lone rule is known to have brought it.
    if (groups_.size() == 1) losses_->arrived(0);
    batch.ignore(group_of(verbs::sorted_frame::no_rule), ignore_reason::too_long);
}

/// Index 0 is the stream's group for what belongs to none.
std::uint32_t ibv_reader::group_of(std::uint32_t rule) const noexcept {
    if (groups_.size() == 1) return groups_.front();
    return rule == verbs::sorted_frame::no_rule ? 0 : groups_[rule];
}

/// Once; a queue that breaks down again would do so for ever.
bool ibv_reader::revive(stream_base::add_packet_handler& batch) {
    if (std::exchange(revived_, true)) {
        fail(batch, EIO, "the queue pair broke down a second time: receiving");
        return false;
    }
    if (const int error = queue_->revive()) {
        fail(batch, error, "ibv_modify_qp(RESET to RTR)");
        return false;
    }
    dead_ = false;
    batch.count_revival();
    batch.warn(description() + ": the queue pair broke down and was brought back; what came meanwhile is lost");
    return true;
}

// --- the device ---

void ibv_reader::wait_for_events(handler_context context) {
    asynchronous_.async_wait(
        stream_descriptor::wait_read,
        bind_handler(std::move(context), [this](handler_context next, stream_base::add_packet_handler& batch,
                                                const boost::system::error_code&) {
            if (stopped_) return;
            handle_events(batch);
            if (!gone_) wait_for_events(std::move(next));
        }));
}

void ibv_reader::handle_events(stream_base::add_packet_handler& batch) {
    bool some = false;
    while (const auto event = events_->next()) {
        some = true;
        handle_event(batch, *event);
        if (gone_) return;
    }
    if (!some) return;
    // A device that is taken away says so by any event, and then does not answer.
    const int error = verbs::port_trouble(queue_->owner());
    if (error == ENODEV || error == EIO) lose_device(batch, error, "the device is gone");
}

void ibv_reader::handle_event(stream_base::add_packet_handler& batch, const verbs::device_event& event) {
    switch (event.kind) {
    case verbs::device_event_kind::device_dead: return lose_device(batch, EIO, event.text);
    case verbs::device_event_kind::port_down:
        return batch.warn(description() + ": " + event.text + ": nothing arrives until the port is active again");
    case verbs::device_event_kind::port_active: return batch.warn(description() + ": " + event.text);
    case verbs::device_event_kind::queue_dead:
        // It may tell of a death from which the queue has been brought back already.
        if (!queue_->is_dead()) return;
        dead_ = true;
        if (!polls()) completions_.cancel();  // wakes the handler that drains the queue
        return;
    case verbs::device_event_kind::other: return;
    }
}

void ibv_reader::fail(stream_base::add_packet_handler& batch, int error, std::string_view call) {
    const verbs::os_error reason(error, fmt::format("{} on {}", call, queue_->owner().name()),
                                 verbs::advice_for(error, call));
    batch.end_reader(*this, stop_reason::from(std::make_exception_ptr(reason)));
}

void ibv_reader::lose_device(stream_base::add_packet_handler& batch, int error, const std::string& why) {
    gone_ = true;
    const verbs::os_error reason(error, fmt::format("{}: {}", queue_->owner().port_name(), why),
                                 verbs::advice_for(error, {}));
    batch.end_reader(*this, stop_reason::from(std::make_exception_ptr(reason)));
}

void ibv_reader::wait_for_clock(handler_context context) {
    clock_.expires_after(counters_interval);
    clock_.async_wait(
        bind_handler(std::move(context), [this](handler_context next, stream_base::add_packet_handler& batch,
                                                const boost::system::error_code& error) {
            if (stopped_ || error) return;
            for (std::size_t i = 0; i < losses_->rules(); ++i)
                if (const std::uint64_t lost = losses_->take(i)) batch.add_nic_drops(groups_[i], lost);
            losses_->look(*queue_);
            batch.set_port(losses_->port());
            wait_for_clock(std::move(next));
        }));
}

// --- the end ---

void ibv_reader::stop() noexcept {
    stopped_ = true;
    close(completions_);
    close(asynchronous_);
    try {
        clock_.cancel();
    } catch (const boost::system::system_error&) {
        // Its wait then runs out, and its handler finds the stream stopped.
    }
}

reader::release_result ibv_reader::release() noexcept {
    if (started_) losses_->look_at_all(*queue_);
    queue_->end_reception();
    if (started_) settle();  // else nothing has been received for any group
    // The kernel waits for the last one to close a device that is gone. Soft-RoCE says nothing when it is to go.
    if (gone_ || takes_datagrams()) {
        losses_.reset();
        events_.reset();
        queue_.reset();
    }
    return std::move(found_);
}

/// Finds out what came and was never added, and what was lost.
void ibv_reader::settle() noexcept {
    drain_left();
    losses_->settle();
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        auto& of = found_.groups.emplace_back();  // has room
        of.group = groups_[i];
        of.ignored_after_stop = left_[i];
        if (losses_->counted(i)) of.nic_drops = losses_->take(i);
    }
    found_.groups.push_back({.group = 0, .ignored_after_stop = left_.back()});
    found_.port = losses_->port();
}

/// Counts what has arrived and was never added, until the device has given everything back.
void ibv_reader::drain_left() noexcept {
    // What is left of the last batch stands in slots that the device does not have.
    for (; first_ != end_; ++first_) {
        const auto rule = std::find(groups_.begin(), groups_.end(), datagrams_[first_].group);
        ++left_[static_cast<std::size_t>(rule - groups_.begin())];
    }
    const auto deadline = std::chrono::steady_clock::now() + drain_limit;
    while (queue_->posted() != 0) {
        const int count = queue_->poll();
        if (count < 0) return;
        for (const verbs::completion& each : queue_->done()) count_left(each);
        if (count > 0) continue;  // what is there is counted however late it is
        if (std::chrono::steady_clock::now() > deadline) return;
        std::this_thread::yield();
    }
}

void ibv_reader::count_left(const verbs::completion& each) noexcept {
    std::uint32_t rule = verbs::sorted_frame::no_rule;
    if (each.status == verbs::slot_status::received)
        rule = queue_->sort(each, verbs::checksum_check::skip).rule;
    else if (each.status != verbs::slot_status::too_long)
        return;
    else if (groups_.size() == 1)
        rule = 0;
    if (rule != verbs::sorted_frame::no_rule) losses_->arrived(rule);
    ++left_[std::min<std::size_t>(rule, groups_.size())];
}

bool stream_base::add_reader(const ibv_reader_config& config) {
    config.validate();
    return add_reader(std::make_unique<ibv_reader>(context(), config));
}

}  // namespace verbcast
