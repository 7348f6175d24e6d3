// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "configuration.hpp"
#include "context.hpp"
#include "device_files.hpp"
#include "netdev.hpp"
#include "port.hpp"
#include "runtime_folder.hpp"

#include <infiniband/verbs.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace softnic {

/// A NIC: what it is called, what it can do, and its port. Lives as long as the process.
class device {
public:
    device(const device_configuration& configuration, int index, const runtime_folder& runtime,
           const fault_script& faults);

    ibv_device* handle() noexcept { return &block_.seen; }
    static device& of(const ibv_device* handle) noexcept { return *reinterpret_cast<const block*>(handle)->owner; }

    const std::string& name() const noexcept { return configuration_.name; }
    int index() const noexcept { return index_; }
    const device_configuration& settings() const noexcept { return configuration_; }
    __be64 guid() const noexcept { return guid_; }
    netdev interface() const { return read_netdev(configuration_.interface); }
    std::array<std::uint8_t, 6> mac() const;

    port& attached_port() noexcept { return port_; }
    const port& attached_port() const noexcept { return port_; }

    void query(ibv_device_attr_ex& attributes) const noexcept;
    int query_port(std::uint8_t number, ibv_port_attr& attributes) const;

    /// Numbers count up, so that a run can be compared with another.
    std::uint32_t next_queue_number() noexcept { return next_queue_number_.fetch_add(1); }
    /// Once true, everything but destroying and closing fails with EIO.
    bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }

    void opened(device_context& by);
    void closed(device_context& by) noexcept;
    void shut_down() noexcept;

private:
    /// Provider libraries that a program links may look at the fields that rdma-core keeps behind an ibv_device, to see
    /// that it is none of theirs; they find zeros.
    struct block {
        ibv_device seen{};
        std::array<std::byte, 1024> provider_part{};
        device* owner = nullptr;
    };

    bool publish_counters();
    void raise(ibv_event_type type);

    const device_configuration configuration_;
    const int index_;
    block block_;
    __be64 guid_ = 0;
    std::unique_ptr<device_files> files_;
    // Of the delivery thread.
    std::chrono::steady_clock::time_point published_{};
    std::chrono::steady_clock::time_point truth_written_{};
    bool truth_is_old_ = false;
    std::atomic<std::uint32_t> next_queue_number_{64};
    std::atomic<bool> gone_{false};
    std::mutex contexts_mutex_;
    std::vector<device_context*> contexts_;
    port port_;
};

}  // namespace softnic
