// SPDX-License-Identifier: BSD-3-Clause
/// What a person at a terminal sees on stderr.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace verbcast::tools {

/// Messages, and under them one line that is refreshed in place where `file` is a terminal. One thread.
class terminal {
public:
    /// `interactive`: as if `file` were a terminal of `columns`, or were none.
    terminal(std::FILE* file, bool interactive, int columns);
    /// Asks `file` itself.
    explicit terminal(std::FILE* file);
    ~terminal();
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;

    bool interactive() const noexcept { return interactive_; }
    int columns() const noexcept { return columns_; }

    /// A line that stays. The refreshed line, if there is one, is put back below it.
    void message(std::string_view text);
    /// Replaces the refreshed line. Nothing where `file` is not a terminal.
    void refresh(std::string_view text);
    /// Takes the refreshed line away.
    void clear();

private:
    void write(std::string_view text);

    std::FILE* file_;
    bool interactive_;
    int columns_;
    std::string line_;
};

/// "[=========>          ]  47 %", as wide as `columns`. `done` beyond `total` counts as all.
std::string progress_bar(std::uint64_t done, std::uint64_t total, int columns);

/// How wide help for `file` may be: its terminal, but 60 to 100; 80 where it is none.
int help_columns(std::FILE* file);

}  // namespace verbcast::tools
