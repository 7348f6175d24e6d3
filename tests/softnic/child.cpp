// SPDX-License-Identifier: BSD-3-Clause
#include "child.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace nic_test {
namespace {

constexpr int patience_ms = 20'000;

void send_line(int socket, const std::string& line) {
    if (::send(socket, line.data(), line.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("nobody hears: " + line);
}

/// A message is a line; an empty one is the end.
std::string receive_line(int socket) {
    pollfd watched{socket, POLLIN, 0};
    if (::poll(&watched, 1, patience_ms) != 1) throw std::runtime_error("nothing is said");
    std::array<char, 4096> line;
    const ssize_t bytes = ::recv(socket, line.data(), line.size(), 0);
    if (bytes <= 0) throw std::runtime_error("the line is cut");
    return {line.data(), static_cast<std::size_t>(bytes)};
}

[[noreturn]] void run(const child::environment& variables, const std::function<void(const child::parent&)>& body,
                      int socket) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    int code = 0;
    try {
        body(child::parent(socket));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
        code = 1;
    }
    std::exit(code);
}

}  // namespace

void child::parent::say(const std::string& line) const { send_line(socket_, line); }
std::string child::parent::hear() const { return receive_line(socket_); }

child::child(const environment& variables, const std::function<void(const parent&)>& body) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    std::fflush(nullptr);
    id_ = ::fork();
    if (id_ == 0) {
        ::close(ends[0]);
        run(variables, body, ends[1]);
    }
    ::close(ends[1]);
    socket_ = ends[0];
    if (id_ < 0) throw std::runtime_error("fork");
}

child::~child() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    ::close(socket_);
}

void child::say(const std::string& line) const { send_line(socket_, line); }
std::string child::hear() const { return receive_line(socket_); }
void child::signal(int number) const { ::kill(id_, number); }

int child::wait() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

temporary_folder::temporary_folder() : path_((std::filesystem::temp_directory_path() / "nic-test-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

unsigned long long truth_of(const std::string& truth, const std::string& name, const std::string& after) {
    const std::size_t from = truth.find(after);
    const std::size_t at = from == std::string::npos ? from : truth.find("\"" + name + "\":", from);
    if (at == std::string::npos) throw std::runtime_error("no " + name + " in the truth: " + truth);
    return std::stoull(truth.substr(at + name.size() + 3));
}

}  // namespace nic_test
