// SPDX-License-Identifier: BSD-3-Clause
#include "softroce/ordinary_user.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verbs/file_descriptor.hpp"

namespace verbcast::test {
namespace {

constexpr uid_t nobody = 65534;

void require(bool succeeded, const char* call) {
    if (!succeeded) throw std::system_error(errno, std::generic_category(), call);
}

/// Who gives up root loses all capabilities.
void become_ordinary(std::uint64_t locked_bytes_max) {
    const rlimit limit{locked_bytes_max, locked_bytes_max};
    require(::setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit");
    require(::setgroups(0, nullptr) == 0, "setgroups");
    require(::setresgid(nobody, nobody, nobody) == 0, "setresgid");
    require(::setresuid(nobody, nobody, nobody) == 0, "setresuid");
}

}  // namespace

std::string as_ordinary_user(std::uint64_t locked_bytes_max, const std::function<std::string()>& what) {
    int ends[2];
    require(::pipe(ends) == 0, "pipe");
    const verbs::file_descriptor from(ends[0]);
    verbs::file_descriptor to(ends[1]);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child == 0) {
        std::string said;
        try {
            become_ordinary(locked_bytes_max);
            said = what();
        } catch (const std::exception& error) {
            said = std::string("thrown: ") + error.what();
        }
        const ssize_t written = ::write(to.get(), said.data(), said.size());
        ::_exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    to.reset();
    std::string said;
    std::array<char, 512> part{};
    for (ssize_t count; (count = ::read(from.get(), part.data(), part.size())) > 0;)
        said.append(part.data(), static_cast<std::size_t>(count));
    int status = 0;
    require(::waitpid(child, &status, 0) == child, "waitpid");
    return status == 0 ? said : said + " (and ended with status " + std::to_string(status) + ")";
}

}  // namespace verbcast::test
