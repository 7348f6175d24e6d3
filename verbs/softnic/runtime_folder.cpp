// SPDX-License-Identifier: BSD-3-Clause
#include "runtime_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace softnic {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path) { throw std::system_error(errno, std::generic_category(), path.string()); }

fs::path default_parent() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    const fs::path base = runtime != nullptr && ::access(runtime, W_OK) == 0 ? runtime : "/tmp";
    return base / ("verbcast-softnic-" + std::to_string(::geteuid()));
}

void make_private(const fs::path& parent) {
    if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) fail(parent);
    struct stat status {};
    while (::lstat(parent.c_str(), &status) != 0) {
        // The last process in it may have taken it away just now.
        if (errno != ENOENT || (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST)) fail(parent);
    }
    // In /tmp anybody could have made it first.
    if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
        errno = EACCES;
        fail(parent);
    }
}

void remove_stale(const fs::path& parent) {
    std::error_code ignored;
    for (const fs::directory_entry& each : fs::directory_iterator(parent, ignored)) {
        if (each.path().extension() != ".lock") continue;
        const descriptor lock(::open(each.path().c_str(), O_RDWR | O_CLOEXEC));
        if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
        fs::path folder = each.path();
        fs::remove_all(folder.replace_extension(), ignored);
        fs::remove(each.path(), ignored);
    }
}

bool still_there(const descriptor& lock) {
    struct stat status {};
    return ::fstat(lock.get(), &status) == 0 && status.st_nlink != 0;
}

}  // namespace

runtime_folder::runtime_folder(const std::string& parent_name) {
    const fs::path parent = parent_name.empty() ? default_parent() : fs::path(parent_name);
    make_private(parent);
    remove_stale(parent);
    path_ = parent / std::to_string(::getpid());
    lock_path_ = path_;
    lock_path_ += ".lock";
    // Between making the lock file and locking it, another process may have taken it for a stale one.
    do {
        lock_ = descriptor(::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!lock_ && errno == ENOENT) {  // the last process took the parent with it
            make_private(parent);
            continue;
        }
        if (!lock_ || ::flock(lock_.get(), LOCK_EX) != 0) fail(lock_path_);
    } while (!lock_ || !still_there(lock_));
    std::error_code ignored;
    fs::remove_all(path_, ignored);  // of a process that had the same number
    if (::mkdir(path_.c_str(), 0700) != 0) fail(path_);
}

void runtime_folder::remove() noexcept {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    fs::remove(lock_path_, ignored);
    // The parent goes with its last folder; while others are in it, it stays.
    if (lock_path_.parent_path().filename().string().starts_with("verbcast-softnic-")) {
        ::rmdir(lock_path_.parent_path().c_str());
    }
}

}  // namespace softnic
