// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/cgroup.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace verbcast::tools {
namespace {

bool is_among(const std::string& list, const std::string& name) {
    return ("," + list + ",").find("," + name + ",") != std::string::npos;
}

void add(std::vector<std::string>& to, const std::string& root, const std::string& path, const std::string& file) {
    // The limits of a group bind those inside it too.
    for (std::filesystem::path each = path;; each = each.parent_path()) {
        to.push_back(fmt::format("{}{}/{}", root, each == "/" ? "" : each.string(), file));
        if (!each.has_relative_path()) return;
    }
}

}  // namespace

std::vector<std::string> cgroup_files(const host_snapshot& raw, const std::string& name) {
    std::vector<std::string> files;
    // "0::/system.slice", "3:cpu,cpuacct:/system.slice".
    for (const std::string& line : lines_of(raw.text("/proc/self/cgroup").value_or(""))) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
        if (!path.starts_with('/')) continue;
        if (controllers.empty())
            add(files, "/sys/fs/cgroup", path, name + ".max");
        else if (is_among(controllers, name))
            add(files, "/sys/fs/cgroup/" + controllers, path,
                name == "cpu" ? "cpu.cfs_quota_us" : "memory.limit_in_bytes");
    }
    return files;
}

}  // namespace verbcast::tools
