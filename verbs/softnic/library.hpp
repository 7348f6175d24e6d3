// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "configuration.hpp"
#include "device.hpp"
#include "fault_script.hpp"
#include "runtime_folder.hpp"

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace softnic {

/// Everything the library has in a process: read from the environment when it is first used, never destroyed, shut down
/// when the process exits.
class library {
public:
    static library& instance();

    /// Empty, with the reason on stderr, when the environment made no sense.
    const std::vector<std::unique_ptr<device>>& devices() const noexcept { return devices_; }
    bool usable() const noexcept { return usable_; }
    bool strict() const noexcept { return configuration_.strict; }
    /// Counts a call of a verb, breaks what the fault script wants broken at it, and gives the errno that it has to
    /// fail with, or 0. No lock of a port is held.
    int plan(std::string_view verb);

    /// Writes down what became of every frame, if the environment names a folder for it.
    void write_truth() noexcept;

private:
    library();
    void configure();
    void shut_down() noexcept;

    configuration configuration_;
    fault_script faults_;
    std::unique_ptr<runtime_folder> runtime_;
    std::vector<std::unique_ptr<device>> devices_;
    std::mutex truth_mutex_;
    bool usable_ = false;
    pid_t process_ = 0;
};

/// The errno that the fault script has for this call, or 0. Counts the call.
inline int planned_failure(std::string_view verb) noexcept { return library::instance().plan(verb); }

}  // namespace softnic
