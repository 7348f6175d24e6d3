// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verbs/device.hpp"
#include "verbs/file_descriptor.hpp"

namespace verbcast::verbs {

/// What a device counts at a port, since this object was made and for all that use it: the files of the port's
/// hw_counters in sysfs, of which each kind of device has its own. One thread at a time.
class port_counters {
public:
    struct value {
        std::string name;                    ///< as in sysfs: "out_of_buffer"
        std::optional<std::uint64_t> count;  ///< absent when it cannot be read
    };

    explicit port_counters(const device& owner);

    /// Always the same counters, by name. "out_of_buffer" is among them, absent where the device does not have it:
    /// frames dropped for want of a posted receive.
    const std::vector<value>& read();

private:
    struct source {
        file_descriptor file;
        std::uint64_t at_first = 0;
    };

    void add(const std::string& folder, const std::string& name);

    std::vector<source> sources_;
    std::vector<value> values_;
};

}  // namespace verbcast::verbs
