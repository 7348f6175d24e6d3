// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <pcap/pcap.h>

#include <verbcast/heap.hpp>

#include "verbs/frame.hpp"

namespace verbcast {

/// What a capture holds of one frame. Valid until the next one is read.
struct captured_frame {
    std::span<const std::byte> bytes;
    std::size_t wire_bytes = 0;
    arrival_time time{};
};

/// A pcap or pcapng file that is read from front to end. One thread at a time.
class capture_file {
public:
    /// "-" is the standard input. Throws std::system_error, or config_error for the filter.
    capture_file(const std::string& name, const std::string& filter);

    verbs::link_layer link() const noexcept { return link_; }

    enum class outcome { frame, filtered, end };
    /// The next frame, which may not match the filter. Throws std::system_error that says where the file is damaged.
    outcome next(captured_frame& out);

private:
    struct closer {
        void operator()(pcap_t* capture) const noexcept { pcap_close(capture); }
    };
    struct freer {
        void operator()(bpf_program* program) const noexcept {
            pcap_freecode(program);
            delete program;
        }
    };

    void compile(const std::string& filter);

    std::string name_;
    std::unique_ptr<pcap_t, closer> capture_;
    std::unique_ptr<bpf_program, freer> filter_;  // null: all
    verbs::link_layer link_ = verbs::link_layer::ethernet;
    std::uint64_t frames_ = 0;
};

}  // namespace verbcast
