// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>

namespace nic_test {

/// A process of its own, forked before this one has used the NIC. It and its parent talk in lines.
class child {
public:
    using environment = std::map<std::string, std::string>;

    /// The child's end of the line.
    class parent {
    public:
        explicit parent(int socket) : socket_(socket) {}
        void say(const std::string& line) const;
        /// Waits for the parent's next line. Ends the process when the parent is gone.
        std::string hear() const;

    private:
        int socket_;
    };

    /// Exits with 0 when `body` returns, and with 1, and what was thrown on stderr, when it throws.
    child(const environment& variables, const std::function<void(const parent&)>& body);
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    void say(const std::string& line) const;
    /// Throws when the child ends without a line, or says nothing for 20 s.
    std::string hear() const;
    void signal(int number) const;
    /// Waits for the end: the exit code, or 128 and the signal.
    int wait();

    pid_t id() const { return id_; }

private:
    pid_t id_ = -1;
    int socket_ = -1;
};

/// A folder that goes with the object.
class temporary_folder {
public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

/// A number of the truth: the first after `"name":`, from the position of `after` on.
unsigned long long truth_of(const std::string& truth, const std::string& name, const std::string& after = "{");

}  // namespace nic_test
