// SPDX-License-Identifier: BSD-3-Clause
#include "temporary_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace verbcast::test {

temporary_file::temporary_file(const bytes& content)
    : name_((std::filesystem::temp_directory_path() / "verbcast-test-XXXXXX").string()) {
    const int descriptor = ::mkstemp(name_.data());
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "mkstemp(" + name_ + ")");
    const ssize_t written = content.empty() ? 0 : ::write(descriptor, content.data(), content.size());
    ::close(descriptor);
    if (written != static_cast<ssize_t>(content.size()))
        throw std::system_error(EIO, std::generic_category(), "write(" + name_ + ")");
}

temporary_file::~temporary_file() { ::unlink(name_.c_str()); }

}  // namespace verbcast::test
