// SPDX-License-Identifier: BSD-3-Clause
#include "file_progress.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <sys/stat.h>

namespace verbcast::tools {

file_progress::file_progress(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
    device_ = info.st_dev;
    inode_ = info.st_ino;
    size_bytes_ = static_cast<std::uint64_t>(info.st_size);
}

std::optional<std::uint64_t> file_progress::position_bytes() const {
    if (inode_ == 0) return std::nullopt;
    std::error_code error;
    std::filesystem::directory_iterator each("/proc/self/fd", error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
        struct stat info {};
        if (::stat(each->path().c_str(), &info) != 0 || info.st_dev != device_ || info.st_ino != inode_) continue;
        std::ifstream details("/proc/self/fdinfo/" + each->path().filename().string());
        std::string label;
        std::uint64_t position = 0;
        if (details >> label >> position && label == "pos:") return position;
    }
    return std::nullopt;
}

}  // namespace verbcast::tools
