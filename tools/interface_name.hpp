// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace verbcast::tools {

/// The network interface that `text` means: its own name, the name of an RDMA device ("mlx5_0", "rxe0") that owns
/// exactly one, or an address of this host. Throws std::runtime_error that says what there is. Devices are looked up
/// in `sysfs`, which is /sys but for tests.
std::string find_interface(const std::string& text, const std::string& sysfs = "/sys");

}  // namespace verbcast::tools
