// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "descriptor.hpp"

#include <filesystem>
#include <string>

namespace softnic {

/// The process's folder for the files that sysfs would have. A lock that dies with its process marks it as alive; what
/// killed processes have left is removed by the next one.
class runtime_folder {
public:
    /// `parent` empty: below $XDG_RUNTIME_DIR, or /tmp. Throws std::system_error.
    explicit runtime_folder(const std::string& parent);
    void remove() noexcept;

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
    std::filesystem::path lock_path_;
    descriptor lock_;
};

}  // namespace softnic
