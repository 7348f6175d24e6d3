// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/json_output.hpp"

namespace verbcast::tools {

enum class severity : std::uint8_t { ok, warn, fail, unknown };

/// One thing that was looked at.
struct finding {
    std::string id = {};       ///< stable: "net.rmem_max"
    std::string subject = {};  ///< which interface, NIC, node; empty for the host
    severity how = severity::ok;
    std::string measured = {};
    std::string wanted = {};
    std::string why = {};
    std::string fix = {};      ///< a command, now; empty when all is well, or nobody knows one
    std::string persist = {};  ///< how it lasts beyond the next boot
};

using findings = std::vector<finding>;

std::string_view severity_name(severity how);
json finding_json(const finding& each);

/// 0 fine, 1 a warning, 3 a failure. What is unknown is neither.
int exit_code_of(const findings& all);

/// For people: what is wrong first, in full; then what is not known, and what is well, a line each.
std::string findings_text(const findings& all, int columns);

}  // namespace verbcast::tools
