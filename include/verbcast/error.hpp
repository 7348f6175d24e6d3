// SPDX-License-Identifier: BSD-3-Clause
/// The errors verbcast throws while something is set up. Nothing is thrown per packet.
///
/// Operating-system failures are `std::system_error`: what() says call, object, reason and what to do.
/// A wrong option is a `config_error`, thrown before anything is opened.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <verbcast/api.hpp>

namespace verbcast {

/// A field of a configuration holds a value that cannot work. what() is "FIELD = VALUE: ALLOWED".
class VERBCAST_API config_error : public std::invalid_argument {
public:
    config_error(std::string_view field, std::string_view value, std::string_view allowed);

    /// The name of the field, as it is written in the configuration's definition.
    const std::string& field() const noexcept { return field_; }

private:
    std::string field_;
};

}  // namespace verbcast
