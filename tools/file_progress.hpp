// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace verbcast::tools {

/// How far this process has read a file that it has open, whoever in it reads: from /proc/self/fdinfo. For pictures of
/// progress only.
class file_progress {
public:
    /// Sees nothing in what is not a regular file.
    explicit file_progress(const std::string& path);

    std::uint64_t size_bytes() const noexcept { return size_bytes_; }
    /// Absent when the file is not open, or not regular.
    std::optional<std::uint64_t> position_bytes() const;

private:
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
    std::uint64_t size_bytes_ = 0;
};

}  // namespace verbcast::tools
