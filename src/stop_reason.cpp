// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/stop_reason.hpp>

#include <new>
#include <utility>

namespace verbcast {

void stop_reason::rethrow_if_failed() const {
    if (error) std::rethrow_exception(error);
}

stop_reason stop_reason::from(std::exception_ptr error) noexcept {
    stop_reason reason{.what = kind::error, .error = std::move(error)};
    try {
        try {
            std::rethrow_exception(reason.error);
        } catch (const std::exception& thrown) {
            reason.message = thrown.what();
        } catch (...) {
            reason.message = "unknown exception";
        }
    } catch (const std::bad_alloc&) {  // no memory to say why
    }
    return reason;
}

stop_reason stop_reason::copy() const noexcept {
    stop_reason copied{.what = what, .error = error};
    try {
        copied.message = message;
    } catch (const std::bad_alloc&) {  // see there
    }
    return copied;
}

}  // namespace verbcast
