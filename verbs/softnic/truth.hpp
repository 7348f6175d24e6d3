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
/// When the script names verbs, beside them `failed_calls`: how many calls of each it was for. These bytes are the same
/// only where the number of calls is, which a program that polls makes depend on time.
void write_truth(const std::string& folder, const std::vector<std::unique_ptr<device>>& devices,
                 const fault_script& faults);

}  // namespace softnic
