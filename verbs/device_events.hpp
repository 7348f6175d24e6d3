// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "verbs/device.hpp"

namespace verbcast::verbs {

/// What an asynchronous event means for a receiver: ibv_get_async_event(3).
enum class device_event_kind : std::uint8_t {
    queue_dead,  ///< a queue pair or a completion queue of this process broke down
    port_down,
    port_active,
    device_dead,
    other,  ///< addresses changed, and the like
};

struct device_event {
    device_event_kind kind = device_event_kind::other;
    std::string text;  ///< as libibverbs words it
};

/// The events of a device. One thread at a time.
class device_events {
public:
    /// Makes the descriptor non-blocking. Throws os_error.
    explicit device_events(const device& owner);

    /// Readable when there is an event. The device's: not to be closed.
    int descriptor() const noexcept { return owner_.get()->async_fd; }
    /// The next one, acknowledged; nothing when there is none.
    std::optional<device_event> next();

private:
    const device& owner_;
};

/// 0, or why the port cannot be asked any more: ENODEV or EIO once the device is gone.
int port_trouble(const device& owner) noexcept;

}  // namespace verbcast::verbs
