// SPDX-License-Identifier: BSD-3-Clause
#include "reader_choice.hpp"

#include <stdexcept>

namespace verbcast::tools {

reader_choice choose_reader(reader_wish wish) {
    if (wish == reader_wish::ibv)
        throw std::runtime_error("--reader ibv: this build has no reader for libibverbs; --reader udp receives through "
                                 "the kernel's sockets");
    if (wish == reader_wish::udp) return {.name = "udp", .why = "as asked"};
    return {.name = "udp", .why = "this build has no reader for libibverbs"};
}

std::vector<group> parse_groups(const std::vector<std::string>& texts) {
    std::vector<group> groups;
    groups.reserve(texts.size());
    for (const std::string& text : texts) groups.push_back(group::parse(text, "GROUP"));
    return groups;
}

}  // namespace verbcast::tools
