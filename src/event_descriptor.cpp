// SPDX-License-Identifier: BSD-3-Clause
#include "src/event_descriptor.hpp"

#include <cassert>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

namespace verbcast {

event_descriptor::~event_descriptor() {
    if (is_open()) ::close(descriptor_);
}

int event_descriptor::open() {
    if (!is_open()) {
        descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!is_open()) throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    return descriptor_;
}

void event_descriptor::set_readable(bool readable) noexcept {
    if (!is_open() || readable == readable_) return;
    std::uint64_t value = 1;
    [[maybe_unused]] const ssize_t moved =
        readable ? ::write(descriptor_, &value, sizeof value) : ::read(descriptor_, &value, sizeof value);
    assert(moved == sizeof value && "someone else reads or closed the descriptor of a ring");
    readable_ = readable;
}

}  // namespace verbcast
