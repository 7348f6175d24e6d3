// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace verbcast::tools {

/// Text from the network or the system, fit for a terminal: valid UTF-8, bad bytes as U+FFFD, and control characters
/// as \xNN, so that nobody's descriptor moves the cursor. Newlines become \n unless `lines`.
std::string safe_text(std::string_view text, bool lines = false);

/// Where the UTF-8 character at the front of `text` ends: 1 to 4, or 0 when it is not one. Not for empty text.
std::size_t utf8_length(std::string_view text) noexcept;

}  // namespace verbcast::tools
