// SPDX-License-Identifier: BSD-3-Clause
/// The readers that storms go through, each with what feeds it at full speed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <verbcast/stream.hpp>

namespace verbcast::test {

class traffic {
public:
    virtual ~traffic() = default;

    virtual std::string name() const = 0;
    /// Gives the stream a reader of this kind. Packets come from then on, until end().
    virtual void begin(stream_base& receiving) = 0;
    virtual void end() {}
    /// Whether it comes to an end by itself.
    virtual bool ends() const { return false; }
};

/// One of each kind: memory, a file, sockets, a NIC's queue, and a reader as a user writes it. A new reader is a class
/// and a line in there. Enters a network namespace.
std::vector<std::unique_ptr<traffic>> all_traffic();

}  // namespace verbcast::test
