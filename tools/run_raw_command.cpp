// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.hpp"
#include "option_values.hpp"

namespace verbcast::tools {
namespace {

struct run_raw_options {
    std::optional<std::uint64_t> locked_bytes;
    std::vector<std::string> command;
};

struct caller {
    uid_t user = 0;
    gid_t group = 0;
};

void check(int result, const char* call) {
    if (result != 0) throw std::system_error(errno, std::generic_category(), call);
}

struct capability_sets {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
};

bool has(const capability_sets& sets, unsigned capability) {
    return (sets.data[capability / 32].permitted >> (capability % 32) & 1U) != 0;
}

capability_sets read_capabilities() {
    capability_sets sets;
    check(static_cast<int>(::syscall(SYS_capget, &sets.header, sets.data)), "capget");
    return sets;
}

std::optional<unsigned> number_in(const char* variable) {
    const char* const text = std::getenv(variable);
    unsigned value = 0;
    if (text == nullptr) return std::nullopt;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc{} || *end != '\0') return std::nullopt;
    return value;
}

/// Whom sudo was called by; else who runs this.
caller find_caller() {
    if (::getuid() != 0) return {::getuid(), ::getgid()};
    const std::optional<unsigned> user = number_in("SUDO_UID"), group = number_in("SUDO_GID");
    if (user && group) return {*user, *group};
    return {0, ::getgid()};
}

/// With this capability in every set, nothing that is run from now on can get another.
void forbid_others(const capability_sets& had) {
    if (has(had, CAP_SETPCAP)) {
        // Root is nobody special any more, not even after exec.
        check(::prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED),
              "prctl(PR_SET_SECUREBITS)");
        for (unsigned each = 0; ::prctl(PR_CAPBSET_READ, each) >= 0; ++each)
            if (each != CAP_NET_RAW) check(::prctl(PR_CAPBSET_DROP, each), "prctl(PR_CAPBSET_DROP)");
    }
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)");
}

void become(const caller& who) {
    if (::getuid() == who.user && ::geteuid() == who.user && ::getgid() == who.group) return;
    check(::prctl(PR_SET_KEEPCAPS, 1), "prctl(PR_SET_KEEPCAPS)");
    if (::geteuid() == 0) {
        const passwd* const entry = ::getpwuid(who.user);
        if (entry != nullptr)
            check(::initgroups(entry->pw_name, who.group), "initgroups");
        else
            check(::setgroups(0, nullptr), "setgroups");
    }
    check(::setresgid(who.group, who.group, who.group), "setresgid");
    check(::setresuid(who.user, who.user, who.user), "setresuid");
}

void keep_net_raw_only() {
    capability_sets sets;
    constexpr __u32 bit = 1U << CAP_NET_RAW;
    sets.data[0] = {.effective = bit, .permitted = bit, .inheritable = bit};
    check(static_cast<int>(::syscall(SYS_capset, &sets.header, sets.data)), "capset");
    check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
    check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0), "prctl(PR_CAP_AMBIENT_RAISE)");
}

void raise_locked_memory(std::uint64_t bytes) {
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        throw std::system_error(errno, std::generic_category(),
                                fmt::format("--locked-memory: setrlimit({} bytes)", bytes));
}

int run(const run_raw_options& options) {
    const capability_sets had = read_capabilities();
    if (!has(had, CAP_NET_RAW))
        throw std::runtime_error(
            "has no CAP_NET_RAW to give: run it with sudo, or once: setcap cap_net_raw+p on this program");
    if (options.locked_bytes) raise_locked_memory(*options.locked_bytes);
    const caller who = find_caller();
    forbid_others(had);
    become(who);
    keep_net_raw_only();
    std::vector<char*> arguments;
    for (const std::string& each : options.command) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
    const int missing = errno == ENOENT ? 127 : 126;
    fmt::print(stderr, "verbcast run-raw: {}: {}\n", options.command.front(), std::strerror(errno));
    return missing;
}

constexpr const char* description =
    "Runs a program with CAP_NET_RAW, which raw queue pairs take, and with no other capability, as the user who "
    "called: "
    "under sudo as the one who called sudo. The capability is ambient, so that the program and what it starts have it; "
    "nothing they run can gain another.";

constexpr const char* epilogue =
    R"(Examples:
  sudo verbcast run-raw -- verbcast recv 239.2.1.150:7148 --interface eth0 --reader ibv
  sudo verbcast run-raw --locked-memory 1GiB -- ./receiver

Exit codes:
  The program's; 127 when there is no such program, 126 when it cannot be run.
  1  this process has no CAP_NET_RAW to give
  2  usage
)";

option_section section(run_raw_options& options) {
    return {
        "What else it gets",
        {{.name = "--locked-memory",
          .value = "BYTES",
          .help =
              "Let the program lock this much memory, which the NIC's buffers are. Without it the limit stays as it "
              "is.",
          .set = [&options](const std::string& text) {
              options.locked_bytes = parse_bytes(text, 1, std::uint64_t{1} << 62);
          }}}};
}

}  // namespace

command run_raw_command() {
    const auto options = std::make_shared<run_raw_options>();
    return {
        .name = "run-raw",
        .summary = "Run a program with CAP_NET_RAW and no other privilege.",
        .description = description,
        .positionals = {{.name = "COMMAND",
                         .help = "The program and its arguments, behind --.",
                         .set = [options](const std::vector<std::string>& words) { options->command = words; },
                         .several = true}},
        .sections = {section(*options)},
        .epilogue = epilogue,
        .run = [options] { return run(*options); },
    };
}

}  // namespace verbcast::tools
