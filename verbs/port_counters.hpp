// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verbs/device.hpp"
#include "verbs/file_descriptor.hpp"

namespace verbcast::verbs {

/// What a device counts at a port of frames that it lost, since this object was made: all that anybody on this host
/// lost there. A counter that the device does not have is absent.
class port_counters {
public:
    struct value {
        std::string name;  ///< as in sysfs: "out_of_buffer"
        std::optional<std::uint64_t> count;
    };

    explicit port_counters(const device& owner);

    /// Always the same counters, in the same order.
    const std::vector<value>& read();
    /// Frames dropped for want of a posted receive, at the last read().
    std::optional<std::uint64_t> out_of_buffer() const noexcept { return values_.front().count; }

private:
    struct source {
        file_descriptor file;
        std::uint64_t at_first = 0;
    };

    std::vector<source> sources_;
    std::vector<value> values_;
};

}  // namespace verbcast::verbs
