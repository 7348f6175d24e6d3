// SPDX-License-Identifier: BSD-3-Clause
#include "src/reader_checks.hpp"

#include <map>

#include <verbcast/units.hpp>

namespace verbcast {
namespace {

/// Both would receive the same datagrams.
bool overlap(const group& one, const group& other) {
    return !one.source || !other.source || *one.source == *other.source;
}

}  // namespace

void check_groups(const std::vector<group>& groups) {
    if (groups.empty()) throw config_error("groups", "none", "must be one group or more");
    std::multimap<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string field = fmt::format("groups[{}]", i);
        groups[i].validate(field);
        const std::string name = groups[i].name();
        for (auto [each, end] = seen.equal_range(name); each != end; ++each)
            if (overlap(groups[each->second], groups[i]))
                throw config_error(field, name,
                                   fmt::format("must not be received twice: see groups[{}]", each->second));
        seen.emplace(name, i);
    }
}

std::string groups_text(std::string_view kind, const std::vector<group>& groups) {
    std::string text = fmt::format("{} {}", kind, groups.front().name());
    if (groups.size() > 1) text += fmt::format(" and {} more", groups.size() - 1);
    return text;
}

std::string in_units(std::uint64_t bytes) {
    if (bytes % 1_MiB == 0) return fmt::format("{} MiB", bytes / 1_MiB);
    return bytes % 1_KiB == 0 ? fmt::format("{} KiB", bytes / 1_KiB) : fmt::format("{} bytes", bytes);
}

}  // namespace verbcast
