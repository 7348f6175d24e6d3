// SPDX-License-Identifier: BSD-3-Clause
#include "standard_descriptors.hpp"

#include <initializer_list>

#include <fcntl.h>
#include <unistd.h>

namespace verbcast::tools {

void reserve_standard_descriptors() noexcept {
    for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        const bool is_open = ::fcntl(each, F_GETFD) != -1;
        // The lowest free number is this one. Opened the wrong way, so that its use is an error as before.
        if (!is_open && ::open("/dev/null", each == STDIN_FILENO ? O_WRONLY : O_RDONLY) != each) return;
    }
}

}  // namespace verbcast::tools
