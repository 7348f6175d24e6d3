// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "descriptor.hpp"
#include "wire_layout.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace softnic {

/// One process's part in a wire: the shared memory, and the way for further processes to join.
///
/// The memory is an anonymous file, and its name is an abstract socket. Both descriptors are handed to every process
/// that joins, so each of them answers newcomers, and when the last one is gone, however it went, so are socket and
/// memory. Record locks belong to the process, so there is one of these for each wire in a process.
class wire_memory {
public:
    /// Joins the wire of that name, or makes it. Throws std::system_error.
    static std::shared_ptr<wire_memory> join(const std::string& name);

    wire_memory(descriptor listener, descriptor memory);
    ~wire_memory();
    wire_memory(const wire_memory&) = delete;
    wire_memory& operator=(const wire_memory&) = delete;

    wire_layout::header& header() const noexcept { return *header_; }
    /// A ring, mapped twice in a row so that no frame wraps.
    std::byte* ring(unsigned port);

    /// Takes a free slot. Throws std::system_error (ENOSPC).
    unsigned claim_port();
    void give_back_port(unsigned port) noexcept;
    /// False once the process that held the slot is gone.
    bool alive(unsigned port) const noexcept;

    int listener() const noexcept { return listener_.get(); }
    /// Answers the newcomers that wait.
    void answer() const noexcept;
    /// In the child of a fork: the child does not take part.
    void abandon() noexcept;

private:
    bool lock_port(unsigned port) const noexcept;

    descriptor listener_;
    descriptor memory_;
    wire_layout::header* header_ = nullptr;
    std::mutex rings_mutex_;
    std::array<std::byte*, wire_layout::ports_max> rings_{};
    std::atomic<std::uint64_t> own_ports_{0};
};

}  // namespace softnic
