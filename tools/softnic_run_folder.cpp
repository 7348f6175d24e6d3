// SPDX-License-Identifier: BSD-3-Clause
#include "softnic_run_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace verbcast::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "verbcast-softnic-run-";

/// The lock on a file or folder, or -1 when it is not there or another process has it.
int locked(const fs::path& path) {
    const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (number < 0 || ::flock(number, LOCK_EX | LOCK_NB) == 0) return number;
    ::close(number);
    return -1;
}

/// True when a process of the run still uses its devices: the software NIC locks a file for each.
bool has_processes(const fs::path& run) {
    std::error_code ignored;
    for (const fs::directory_entry& each : fs::directory_iterator(run / "devices", ignored)) {
        if (each.path().extension() != ".lock") continue;
        const int lock = locked(each.path());
        if (lock < 0) return true;
        ::close(lock);
    }
    return false;
}

void remove_abandoned(const fs::path& parent) {
    std::error_code ignored;
    for (const fs::directory_entry& each : fs::directory_iterator(parent, ignored)) {
        struct stat status {};
        if (!each.path().filename().string().starts_with(prefix)) continue;
        if (::lstat(each.path().c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
        const int lock = locked(each.path());
        if (lock < 0) continue;
        if (!has_processes(each.path())) fs::remove_all(each.path(), ignored);
        ::close(lock);
    }
}

}  // namespace

softnic_run_folder::softnic_run_folder() {
    const fs::path parent = fs::temp_directory_path();
    remove_abandoned(parent);
    std::string name = (parent / prefix).string() + "XXXXXX";
    // Until it is locked, another run may take it for an abandoned one.
    do {
        name.replace(name.size() - 6, 6, "XXXXXX");
        if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
        lock_ = locked(name);
    } while (lock_ < 0);
    path_ = name;
    fs::create_directory(truth());
}

softnic_run_folder::~softnic_run_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(lock_);
}

}  // namespace verbcast::tools
