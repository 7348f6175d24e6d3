// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <verbcast/group.hpp>

#include "verbs/file_descriptor.hpp"
#include "verbs/membership.hpp"

namespace verbcast {

struct udp_socket_options {
    std::uint64_t buffer_bytes = 0;
    bool gro = false;
    bool timestamps = false;
};

/// A socket of the kernel that receives one group, or what is sent to one address of this host. Never blocks.
class udp_socket {
public:
    /// Binds and joins. Throws verbs::os_error.
    udp_socket(const group& to, const verbs::joining_interface& on, const udp_socket_options& options);

    int get() const noexcept { return descriptor_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(descriptor_); }
    /// Whether the kernel joins datagrams into one buffer.
    bool gro() const noexcept { return gro_; }
    /// What the kernel granted, in the unit of the request: half of what it then keeps an account of.
    std::uint64_t buffer_bytes() const noexcept { return buffer_bytes_; }

    /// Buffers that the kernel dropped since it was last asked.
    std::uint64_t take_drops() noexcept;
    /// Nothing more comes in; what has come can still be read. False when that cannot be had.
    bool refuse_more() const noexcept;
    /// Closes it, which leaves the group.
    void close() noexcept { descriptor_.reset(); }

private:
    void set_buffer_bytes(std::uint64_t wanted);
    void set_options(const udp_socket_options& options);

    verbs::file_descriptor descriptor_;
    std::string name_;
    std::uint64_t buffer_bytes_ = 0;
    std::uint32_t drops_ = 0;
    bool gro_ = false;
};

}  // namespace verbcast
