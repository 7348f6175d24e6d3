// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "commands.hpp"
#include "option_values.hpp"
#include "softnic_run_folder.hpp"
#include "softnic_script.hpp"

namespace verbcast::tools {
namespace {

namespace fs = std::filesystem;

struct softnic_options {
    std::vector<std::string> devices;
    bool strict = false;
    std::string faults_file;
    std::string truth_file;
    std::vector<std::string> command;
};

/// The software NIC's libraries: beside the command where it is installed, or where it was built.
fs::path library_folder() {
    const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
    for (const char* relative : {VERBCAST_SOFTNIC_INSTALLED, VERBCAST_SOFTNIC_BUILT}) {
        fs::path folder = (program / relative).lexically_normal();
        if (fs::exists(folder / "libibverbs.so.1")) return folder;
    }
    throw std::runtime_error("the software NIC is not installed with this command");
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::system_error(errno, std::generic_category(), "cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void set_variable(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

void set_environment(const softnic_options& options, const softnic_run_folder& folder) {
    const char* const others = std::getenv("LD_LIBRARY_PATH");
    const std::string path = library_folder().string();
    set_variable("LD_LIBRARY_PATH", others != nullptr && *others != '\0' ? path + ":" + others : path);
    set_variable("VERBCAST_SOFTNIC_DEVICES", fmt::format("{}", fmt::join(options.devices, ";")));
    set_variable("VERBCAST_SOFTNIC_STRICT", options.strict ? "1" : "0");
    set_variable("VERBCAST_SOFTNIC_RUNTIME", folder.runtime().string());
    set_variable("VERBCAST_SOFTNIC_TRUTH", options.truth_file.empty() ? "" : folder.truth().string());
    set_variable("VERBCAST_SOFTNIC_FAULTS", options.faults_file.empty() ? "" : folder.faults().string());
}

int wait_for(pid_t process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Lets the software NIC read its devices and its faults once, so that nonsense ends here, with its own message, and
/// not in a command that finds no device. False when it has refused them.
bool is_accepted() {
    const std::string library = (library_folder() / "libibverbs.so.1").string();
    const pid_t trial = ::fork();
    if (trial < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (trial == 0) {
        void* const loaded = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (loaded == nullptr) fmt::print(stderr, "verbcast softnic: {}\n", ::dlerror());
        using get_device_list = void* (*)(int*);
        const auto list =
            loaded == nullptr ? nullptr : reinterpret_cast<get_device_list>(::dlsym(loaded, "ibv_get_device_list"));
        std::_Exit(list != nullptr && list(nullptr) != nullptr ? 0 : 1);
    }
    return wait_for(trial) == 0;
}

volatile std::sig_atomic_t child_process = 0;

void pass_on(int signal) {
    if (child_process > 0) ::kill(static_cast<pid_t>(child_process), signal);
}

/// What the keyboard sends reaches the command by itself; what another process sends has to be passed on.
void pass_on_what_was_sent(int signal, siginfo_t* sent, void*) {
    if (sent->si_code != SI_KERNEL) pass_on(signal);
}

void handle_signals() {
    struct sigaction passing {};
    passing.sa_handler = pass_on;
    passing.sa_flags = SA_RESTART;
    for (const int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaction(signal, &passing, nullptr);
    struct sigaction choosing {};
    choosing.sa_sigaction = pass_on_what_was_sent;
    choosing.sa_flags = SA_RESTART | SA_SIGINFO;
    for (const int signal : {SIGINT, SIGQUIT}) ::sigaction(signal, &choosing, nullptr);
}

/// Runs the command and gives its exit code, or 128 and the signal that ended it. A signal to this process is the
/// command's, so that the truth is written whoever is told to stop.
int run_command(const softnic_options& options) {
    std::vector<char*> arguments;
    for (const std::string& each : options.command) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    // None arrives before there is a command that could have it.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, &before);
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        ::execvp(arguments.front(), arguments.data());
        const int missing = errno == ENOENT ? 127 : 126;
        fmt::print(stderr, "verbcast softnic: {}: {}\n", options.command.front(), std::strerror(errno));
        std::_Exit(missing);
    }
    child_process = child;
    handle_signals();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    const int code = wait_for(child);
    child_process = 0;
    return code;
}

void write_truth(const std::string& file, const fs::path& folder) {
    std::vector<nlohmann::ordered_json> truths;
    for (const fs::directory_entry& each : fs::directory_iterator(folder)) {
        if (each.path().extension() == ".json") truths.push_back(nlohmann::ordered_json::parse(read_file(each.path())));
    }
    std::ofstream out(file);
    out << merged_truth(truths).dump() << '\n';
    if (!out.flush()) throw std::system_error(errno, std::generic_category(), "cannot write " + file);
}

int run(softnic_options options) {
    if (options.devices.empty()) options.devices = {"softnic0=wire:default"};
    const softnic_run_folder folder;
    if (!options.faults_file.empty()) {
        std::ofstream(folder.faults()) << fault_lines(read_file(options.faults_file));
    }
    // Before the command runs, so that a place that cannot be written costs nobody a run.
    if (!options.truth_file.empty() && !std::ofstream(options.truth_file)) {
        throw std::system_error(errno, std::generic_category(), "cannot write " + options.truth_file);
    }
    set_environment(options, folder);
    if (!is_accepted()) return exit_code::usage;
    const int code = run_command(options);
    if (!options.truth_file.empty()) write_truth(options.truth_file, folder.truth());
    return code;
}

void check_device(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string_view cable = equals == std::string::npos ? "" : std::string_view(text).substr(equals + 1);
    const bool known = cable.starts_with("wire:") || cable.starts_with("netdev:");
    if (equals == 0 || !known || text.find(';') != std::string::npos)
        throw usage_error("is NAME=wire:NAME[,netdev=IF] or NAME=netdev:IF");
}

constexpr const char* description =
    "Runs a program on a software NIC: libibverbs and librdmacm with RAW_PACKET queue pairs and flow steering, found "
    "by "
    "library path, without a NIC and as an ordinary user. Programs on the same wire reach one another.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast softnic -- ibv_devinfo -v
  verbcast softnic --device mlx5_0=wire:lab --truth truth.json -- ./receiver
  unshare -Urn verbcast softnic --device nic=netdev:lo -- ./receiver

Exit codes:
  The program's; 128 and the signal when one ended it; 126 when it cannot be run, 127 when there is none.
  1  the software NIC could not be set up
  2  usage
)";

option_section softnic_section(softnic_options& options) {
    const auto add_device = [&options](const std::string& text) {
        check_device(text);
        options.devices.push_back(text);
    };
    return {"The NIC",
            {{.name = "--device",
              .value = "NAME=CABLE",
              .help = "A device; may be repeated. CABLE is wire:NAME, memory shared by the processes on it, or "
                      "netdev:IF, a network interface, which takes CAP_NET_RAW. With ,netdev=IF a wire has that "
                      "interface's addresses. Default softnic0=wire:default.",
              .set = add_device,
              .repeats = true},
             {.name = "--strict",
              .help = "Ask for CAP_NET_RAW and locked memory as a real NIC would, on a wire too.",
              .set = into_flag(options.strict)},
             {.name = "--faults",
              .value = "FILE",
              .help = "A script, in JSON, that drops, repeats, reorders and corrupts frames, breaks queues, ports and "
                      "devices, and fails verbs, the same way in each run.",
              .set = into_text(options.faults_file)},
             {.name = "--truth",
              .value = "FILE",
              .help = "Write there, in JSON, what became of every frame of every process.",
              .set = into_text(options.truth_file)}}};
}

}  // namespace

command softnic_command() {
    const auto options = std::make_shared<softnic_options>();
    return {
        .name = "softnic",
        .summary = "Run a program on a software NIC.",
        .description = description,
        .positionals = {{.name = "COMMAND",
                         .help = "The program and its arguments, behind --.",
                         .set = [options](const std::vector<std::string>& words) { options->command = words; },
                         .several = true}},
        .sections = {softnic_section(*options)},
        .epilogue = epilogue,
        .run = [options] { return run(*options); },
    };
}

}  // namespace verbcast::tools
