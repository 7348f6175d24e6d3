// SPDX-License-Identifier: BSD-3-Clause
/// A descriptor that is readable while something is the case: eventfd(2).
#pragma once

namespace verbcast {

/// Not thread-safe. Costs nothing until open().
class event_descriptor {
public:
    event_descriptor() = default;
    ~event_descriptor();
    event_descriptor(const event_descriptor&) = delete;
    event_descriptor& operator=(const event_descriptor&) = delete;

    /// The descriptor, made by the first call. Throws std::system_error.
    int open();
    bool is_open() const noexcept { return descriptor_ >= 0; }
    void set_readable(bool readable) noexcept;

private:
    int descriptor_ = -1;
    bool readable_ = false;
};

}  // namespace verbcast
