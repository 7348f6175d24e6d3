// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <verbcast/verbs_devices.hpp>

#include "tools/json_output.hpp"

namespace verbcast::tools {

json to_json(const verbs_devices& seen);
/// Throws json::exception.
verbs_devices verbs_devices_from_json(const json& from);

}  // namespace verbcast::tools
