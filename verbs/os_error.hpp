// SPDX-License-Identifier: BSD-3-Clause
/// A failure of the operating system, said in full: "bind(239.1.1.1:7148): Address already in use: WHAT TO DO".
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace verbcast::verbs {

/// what() is "CALL: REASON", or "CALL: REASON: ADVICE" when there is something to be done.
class os_error : public std::system_error {
public:
    os_error(int error_number, std::string_view call, std::string_view advice = {});

    const char* what() const noexcept override { return text_.what(); }

private:
    std::runtime_error text_;  // its copies do not throw, a string's may
};

/// The names of this machine's interfaces, for advice: "lo, eth0".
std::string interface_names();

/// The index of the interface. Throws os_error when there is none of that name.
unsigned interface_index(const std::string& name);

}  // namespace verbcast::verbs
