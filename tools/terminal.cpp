// SPDX-License-Identifier: BSD-3-Clause
#include "terminal.hpp"

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "safe_text.hpp"

namespace verbcast::tools {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

/// A terminal that can erase a line.
bool is_terminal(std::FILE* file) {
    const char* const kind = std::getenv("TERM");
    return ::isatty(::fileno(file)) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

int columns_of(std::FILE* file) {
    winsize size{};
    if (::ioctl(::fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

/// The front of `text` that fits into `columns` characters.
std::string_view fitting(std::string_view text, int columns) {
    std::size_t end = 0;
    for (int taken = 0; taken < columns && end < text.size(); ++taken)
        end += std::max<std::size_t>(utf8_length(text.substr(end)), 1);
    return text.substr(0, end);
}

}  // namespace

terminal::terminal(std::FILE* file, bool interactive, int columns)
    : file_(file), interactive_(interactive), columns_(columns) {}

terminal::terminal(std::FILE* file) : terminal(file, is_terminal(file), columns_of(file)) {}

terminal::~terminal() { clear(); }

void terminal::message(std::string_view text) {
    std::string out;
    if (!line_.empty()) out += erase_line;
    out.append(text).append("\n").append(line_);
    write(out);
}

void terminal::refresh(std::string_view text) {
    if (!interactive_) return;
    // The last column stays free: a character there may wrap.
    line_ = fitting(text, columns_ - 1);
    write(std::string(erase_line) + line_);
}

void terminal::clear() {
    if (line_.empty()) return;
    line_.clear();
    write(erase_line);
}

void terminal::write(std::string_view text) {
    // Nobody can be told that stderr is gone.
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
}

std::string progress_bar(std::uint64_t done, std::uint64_t total, int columns) {
    const double share = total == 0 ? 1.0 : static_cast<double>(std::min(done, total)) / static_cast<double>(total);
    const std::string percent = fmt::format("] {:3.0f} %", share * 100);
    const int room = std::max(columns - static_cast<int>(percent.size()) - 1, 1);
    const int filled = static_cast<int>(share * room);
    std::string bar(static_cast<std::size_t>(filled), '=');
    if (filled < room) bar += '>';
    bar.resize(static_cast<std::size_t>(room), ' ');
    return "[" + bar + percent;
}

int help_columns(std::FILE* file) {
    if (::isatty(::fileno(file)) != 1) return 80;
    return std::clamp(columns_of(file), 60, 100);
}

}  // namespace verbcast::tools
