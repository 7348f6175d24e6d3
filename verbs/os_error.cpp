// SPDX-License-Identifier: BSD-3-Clause
#include "verbs/os_error.hpp"

#include <cerrno>
#include <memory>

#include <net/if.h>

namespace verbcast::verbs {
namespace {

std::string sentence(int error_number, std::string_view call, std::string_view advice) {
    std::string text{call};
    text += ": ";
    text += std::generic_category().message(error_number);
    if (!advice.empty()) {
        text += ": ";
        text += advice;
    }
    return text;
}

}  // namespace

os_error::os_error(int error_number, std::string_view call, std::string_view advice)
    : std::system_error(error_number, std::generic_category()), text_(sentence(error_number, call, advice)) {}

std::string interface_names() {
    const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> all(if_nameindex(), &if_freenameindex);
    if (!all) return "not known";
    std::string names;
    for (const struct if_nameindex* each = all.get(); each->if_index != 0; ++each) {
        if (!names.empty()) names += ", ";
        names += each->if_name;
    }
    return names.empty() ? "none" : names;
}

unsigned interface_index(const std::string& name) {
    const unsigned index = if_nametoindex(name.c_str());
    if (index == 0) throw os_error(errno, "if_nametoindex(" + name + ")", "interfaces here are " + interface_names());
    return index;
}

}  // namespace verbcast::verbs
