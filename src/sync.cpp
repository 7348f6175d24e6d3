// SPDX-License-Identifier: BSD-3-Clause
#include "src/sync.hpp"

#include "src/shared_state.hpp"

namespace verbcast::sync {

thread_state& this_thread() noexcept {
    thread_local thread_state state;
    return state;
}

}  // namespace verbcast::sync
