// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "heap_encoder.hpp"

namespace verbcast::tools {

/// Where packets are sent in bursts: add() some, then flush(). One thread.
class packet_sink {
public:
    virtual ~packet_sink() = default;

    /// Copies the header; the payload must stay until flush(). Throws std::system_error.
    virtual void add(std::size_t group, const outgoing_packet& packet) = 0;
    /// Sends all that was added. Throws std::system_error.
    virtual void flush() = 0;

    virtual std::uint64_t packets_added() const noexcept = 0;
    virtual std::uint64_t bytes_added() const noexcept = 0;
    /// How often a host said that nobody listens on the port there. The packets before that were lost.
    virtual std::uint64_t refused() const noexcept = 0;
    /// The largest UDP payload that goes to `group` in one piece; absent when nobody says.
    virtual std::optional<std::size_t> unfragmented_bytes_max(std::size_t group) const = 0;
};

}  // namespace verbcast::tools
