// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "device.hpp"
#include "fault_script.hpp"

#include <memory>
#include <string>
#include <vector>

namespace softnic {

/// Writes `FOLDER/PID.json`: for each device the frames its cable brought, the ones that were lost by cause, and what
/// each queue pair made of its own. The same traffic and the same script give the same bytes. Throws std::system_error.
/// Beside them `failed_calls`, the calls of each verb that the script was for: how often a program calls depends on time.
void write_truth(const std::string& folder, const std::vector<std::unique_ptr<device>>& devices,
                 const fault_script& faults);

}  // namespace softnic
