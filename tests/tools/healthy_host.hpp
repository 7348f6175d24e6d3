// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tools/host/checks.hpp"
#include "tools/host/host_snapshot.hpp"

namespace verbcast::test {

/// Two sockets, a NIC of 100 Gb/s on each (eth0 with mlx5_0 on node 0, eth1 with mlx5_1 on node 1), and nothing wrong.
tools::host_snapshot healthy_host();

/// Two groups on eth0.
tools::reception_plan plan_of_two_groups();

}  // namespace verbcast::test
