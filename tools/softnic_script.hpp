// SPDX-License-Identifier: BSD-3-Clause
/// What goes into the software NIC and comes out of it: scripts of faults, and truths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace verbcast::tools {

/// The lines that the software NIC reads, from the JSON that people write:
/// {"seed":1,"rules":[{"at":"frame","rate":0.01,"do":"drop"},{"at":"ibv_reg_mr","call":3,"errno":12}]}
/// Throws usage_error, naming the rule that is wrong, when these are not rules; what they mean it does not know.
std::string fault_lines(std::string_view text);

/// One truth from those of several processes: numbers are added up, queues stand one after the other in an order that
/// does not depend on which process was first.
nlohmann::ordered_json merged_truth(const std::vector<nlohmann::ordered_json>& truths);

}  // namespace verbcast::tools
