// SPDX-License-Identifier: BSD-3-Clause
#include "port.hpp"

#include "netdev_cable.hpp"
#include "queue_pair.hpp"
#include "threads.hpp"
#include "wire_cable.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <system_error>

namespace softnic {
namespace {

std::unique_ptr<cable> make_cable(const device_configuration& configuration) {
    if (configuration.cable == cable_kind::wire) return std::make_unique<wire_cable>(configuration.wire);
    return std::make_unique<netdev_cable>(configuration.interface);
}

}  // namespace

port::port(const device_configuration& configuration, const fault_script& faults, listener tell)
    : configuration_(configuration), faults_(faults), tell_(std::move(tell)) {}

port::~port() { shut_down(); }

void port::plug_in() {
    std::call_once(plugged_in_, [this] {
        service_wake_ = descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!service_wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
        cable_ = make_cable(configuration_);
        frame_bytes_max_ = cable_->frame_bytes_max();
        delivery_ = start_thread("softnic-deliver", [this] { deliver_until_stopped(); });
        service_ = start_thread("softnic-service", [this] { serve_until_stopped(); });
    });
}

void port::shut_down() noexcept {
    if (stopping_.exchange(true) || !cable_) return;
    cable_->wake();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(service_wake_.get(), &one, sizeof one);
    delivery_.join();
    service_.join();
    count(account_.lost_no_rule, held_.size());
}

std::shared_ptr<queue_account> port::open_account(std::uint32_t queue_number) {
    const std::scoped_lock lock(accounts_mutex_);
    return accounts_.emplace_back(std::make_shared<queue_account>(queue_number));
}

void port::close_account(const std::shared_ptr<queue_account>& ended) noexcept {
    if (configuration_.keeps_accounts) return;
    const std::scoped_lock lock(accounts_mutex_);
    gone_.add(*ended);
    std::erase(accounts_, ended);
}

std::vector<std::shared_ptr<const queue_account>> port::accounts() const {
    const std::scoped_lock lock(accounts_mutex_);
    return {accounts_.begin(), accounts_.end()};
}

void port::add_accounts_to(queue_account& sum) const noexcept {
    const std::scoped_lock lock(accounts_mutex_);
    sum.add(gone_);
    for (const auto& each : accounts_) sum.add(*each);
}

// --- rules ---

int port::add_rule(flow_rule& rule) {
    const std::scoped_lock lock(receive_mutex);
    if (const int error = rules_.add(rule); error != 0) return error;
    // A port without rules takes nothing off the cable, as if nobody were there.
    if (!listening_ || rules_.promiscuous() != listening_promiscuously_) {
        try {
            cable_->listen(rules_.promiscuous());
        } catch (const std::system_error& error) {
            rules_.remove(rule);
            return error.code().value();
        }
        listening_ = true;
        listening_promiscuously_ = rules_.promiscuous();
        cable_->wake();
    }
    return 0;
}

void port::remove_rule(const flow_rule& rule) {
    const std::scoped_lock lock(receive_mutex);
    rules_.remove(rule);
    if (!rules_.empty()) return;
    cable_->deafen();
    listening_ = false;
    count(account_.lost_no_rule, held_.size());
    held_.clear();
}

// --- sending ---

std::size_t port::send(std::span<const outgoing_frame> frames) noexcept {
    if (frames.empty() || stopping_.load(std::memory_order_relaxed)) return 0;
    const std::size_t sent = cable_->transmit(frames);
    count(account_.sent, sent);
    return sent;
}

void port::transmit(queue_pair& pair) noexcept {
    if (dead_.load(std::memory_order_relaxed)) return;
    if (!waiting_.empty()) {
        if (std::find(waiting_.begin(), waiting_.end(), &pair) == waiting_.end()) waiting_.push_back(&pair);
        return;
    }
    if (!pair.transmit()) return;
    waiting_.push_back(&pair);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(service_wake_.get(), &one, sizeof one);
}

void port::forget(queue_pair& pair) noexcept {
    std::erase(waiting_, &pair);
    std::erase(pairs_, &pair);
}

// --- breaking ---

void port::break_down(const breakage& what) {
    const std::scoped_lock lock(receive_mutex);
    break_now(what, pairs_);
}

void port::break_now(const breakage& what, std::span<queue_pair* const> pairs) {
    if (what.completion_queues) {
        for (queue_pair* pair : pairs) {
            pair->receives().fail();
            pair->sends().fail();
        }
    }
    // A queue pair cannot work without its completion queues.
    if (what.queue_pairs || what.completion_queues) {
        for (queue_pair* pair : pairs) pair->break_down();
    }
    if (what.device && !dead_.exchange(true)) {
        const std::scoped_lock lock(transmit_mutex);
        waiting_.clear();
        tell_.event(IBV_EVENT_DEVICE_FATAL);
    }
    if (what.port_frames != 0) {
        down_frames_ = std::max(down_frames_, what.port_frames);
        if (!down_.exchange(true)) tell_.event(IBV_EVENT_PORT_ERR);
    }
}

/// True when the frame is lost because the device is gone or the port is down.
bool port::lose_in_breakage() {
    if (!dead_.load(std::memory_order_relaxed) && down_frames_ == 0) return false;
    count(account_.lost_fault);
    if (down_frames_ != 0 && --down_frames_ == 0) {
        down_.store(false);
        tell_.event(IBV_EVENT_PORT_ACTIVE);
    }
    return true;
}

void port::serve_until_stopped() {
    while (!stopping_.load()) {
        std::array<pollfd, 2> watched{pollfd{service_wake_.get(), POLLIN, 0},
                                      pollfd{cable_->service_descriptor(), POLLIN, 0}};
        ::poll(watched.data(), watched.size(), -1);
        if (watched[1].revents != 0) serve_cable();
        std::uint64_t woken = 0;
        if (::read(service_wake_.get(), &woken, sizeof woken) == sizeof woken) send_what_was_left();
    }
}

void port::serve_cable() {
    const bool was_up = cable_->link_up();
    cable_->serve();
    if (cable_->link_up() != was_up) tell_.event(was_up ? IBV_EVENT_PORT_ERR : IBV_EVENT_PORT_ACTIVE);
}

void port::send_what_was_left() {
    // While a queue pair waits nobody else uses the sending side of the cable.
    for (bool left = true; left && !stopping_.load() && !dead_.load();) {
        cable_->wait_for_room();
        serve_cable();
        const std::scoped_lock lock(transmit_mutex);
        while (!waiting_.empty() && !waiting_.front()->transmit()) waiting_.erase(waiting_.begin());
        left = !waiting_.empty();
    }
}

}  // namespace softnic
