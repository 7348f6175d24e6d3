// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace softnic {

class device;
class port;

/// The files of a device that the kernel would show in sysfs: what it is, its addresses, and its live counters.
class device_files {
public:
    /// Throws std::system_error.
    device_files(const std::filesystem::path& runtime, const device& described);

    const std::filesystem::path& device_path() const noexcept { return device_path_; }
    const std::filesystem::path& verbs_path() const noexcept { return verbs_path_; }

    /// Writes down whether the port is up.
    void show_state(const device& described) noexcept;
    /// True when a counter has changed since the last time.
    bool update_counters(const port& counted) noexcept;

private:
    struct counter_file {
        std::string name;
        descriptor file;
        std::uint64_t shown;
    };

    void write(const std::filesystem::path& relative, const std::string& text);
    void write_port(const device& described);
    void write_interface(const device& described);
    bool show(std::string_view name, std::uint64_t value) noexcept;

    std::filesystem::path device_path_;
    std::filesystem::path verbs_path_;
    std::vector<counter_file> counters_;
};

}  // namespace softnic
