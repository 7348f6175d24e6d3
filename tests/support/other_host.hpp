// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace verbcast::test {

/// Another host: a thread in a network namespace of its own, at the other end of a cable (veth1, with 10.99.0.2 and
/// fd99::2) from this thread's namespace (veth0, with 10.99.0.1 and fd99::1), which it makes too.
class other_host {
public:
    other_host();
    ~other_host();
    other_host(const other_host&) = delete;
    other_host& operator=(const other_host&) = delete;

    /// Runs it there, and waits for it; throws what it throws.
    void run(const std::function<void()>& what);

private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    const std::function<void()>* wanted_ = nullptr;  // under mutex_
    std::exception_ptr thrown_;                      // under mutex_
    bool over_ = false;                              // under mutex_
    std::thread thread_;
};

/// Sends a whole frame out of an interface of this thread's namespace.
void send_frame(const std::string& interface, const std::vector<std::byte>& frame);

}  // namespace verbcast::test
