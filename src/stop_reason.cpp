// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/stop_reason.hpp>

#include <utility>

namespace verbcast {

void stop_reason::rethrow_if_failed() const {
    if (error) std::rethrow_exception(error);
}

stop_reason stop_reason::from(std::exception_ptr error) {
    stop_reason reason{.what = kind::error, .message = "unknown exception", .error = std::move(error)};
    try {
        std::rethrow_exception(reason.error);
    } catch (const std::exception& thrown) {
        reason.message = thrown.what();
    } catch (...) {  // not a std::exception: has no message
    }
    return reason;
}

}  // namespace verbcast
