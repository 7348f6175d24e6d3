// SPDX-License-Identifier: BSD-3-Clause
/// Why a stream, or one of its readers, came to its end.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include <verbcast/api.hpp>

namespace verbcast {

/// A plain value. `running` until the stream has stopped.
struct VERBCAST_API stop_reason {
    enum class kind : std::uint8_t {
        running,
        stop_item,      ///< a sender said so with a STREAM_CTRL item
        user_stop,      ///< stop()
        destroyed,      ///< the stream was destroyed while it was running
        readers_ended,  ///< every reader came to the end of its input
        error,          ///< a reader, a sink or an allocator failed: see `error`
    };

    kind what = kind::running;
    std::string message = {};       ///< one line for a person
    std::exception_ptr error = {};  ///< what was thrown, when `what` is `error`

    bool stopped() const noexcept { return what != kind::running; }
    bool failed() const noexcept { return what == kind::error; }
    /// Throws `error` again, if there is one.
    void rethrow_if_failed() const;

    /// An error with the message of `error`, or without one when there is no memory for it.
    static stop_reason from(std::exception_ptr error) noexcept;
    /// Without the message when there is no memory for it.
    stop_reason copy() const noexcept;
};

}  // namespace verbcast
