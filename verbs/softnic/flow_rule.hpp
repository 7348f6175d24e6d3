// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "frame_keys.hpp"
#include "objects.hpp"

#include <infiniband/verbs.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace softnic {

class queue_pair;

/// What frames a rule wants. Bits of the value outside the mask are zero.
struct flow_match {
    key_words value{};
    key_words mask{};
};

/// A steering rule; the user's `ibv_flow *` is this object.
struct flow_rule : ibv_flow, counted {
    queue_pair* target = nullptr;
    ibv_flow_attr_type type = IBV_FLOW_ATTR_NORMAL;
    std::uint16_t priority = 0;
    bool lets_pass = false;  ///< frames go on to rules of lower priority
    bool drops = false;
    flow_match match;
    std::optional<std::uint32_t> tag;
    std::vector<counter_set*> counters;
};

/// Reads a rule as the user describes it. Returns 0 or an errno: EINVAL for what is malformed or contradicts itself,
/// EOPNOTSUPP for what this device cannot match.
int read_flow_rule(const ibv_flow_attr& attributes, flow_rule& rule);

}  // namespace softnic
