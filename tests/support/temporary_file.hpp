// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "packet_builder.hpp"

namespace verbcast::test {

/// A file with these bytes, until it goes out of scope.
class temporary_file {
public:
    explicit temporary_file(const bytes& content);
    ~temporary_file();
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    const std::string& name() const noexcept { return name_; }

private:
    std::string name_;
};

}  // namespace verbcast::test
