// SPDX-License-Identifier: BSD-3-Clause
// What people see: text, units, the terminal, help.
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "tools/commands.hpp"
#include "tools/help_text.hpp"
#include "tools/human_units.hpp"
#include "tools/reason_text.hpp"
#include "tools/safe_text.hpp"
#include "tools/terminal.hpp"

using namespace verbcast;
using namespace verbcast::tools;

namespace {

/// A file that keeps what is written to it.
class written {
public:
    written() : file_(::open_memstream(&text_, &size_)) {}
    ~written() {
        std::fclose(file_);
        std::free(text_);
    }
    written(const written&) = delete;
    written& operator=(const written&) = delete;

    std::FILE* file() { return file_; }
    std::string text() {
        std::fflush(file_);
        return {text_, size_};
    }

private:
    char* text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE* file_;
};

}  // namespace

TEST_CASE("text that is UTF-8 stays as it is") {
    for (const char* const text : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x93\xa1", "\xf4\x8f\xbf\xbf"})
        CHECK(safe_text(text) == text);
}

TEST_CASE("bytes that are not UTF-8 are shown as U+FFFD") {
    const std::string replaced = "\xef\xbf\xbd";
    CHECK(safe_text("a\xff"
                    "b") == "a" + replaced + "b");
    CHECK(safe_text("\xc0\xaf") == replaced + replaced);                     // an overlong slash
    CHECK(safe_text("\xe0\x80\xaf") == replaced + replaced + replaced);      // the same in three bytes
    CHECK(safe_text("\xed\xa0\x80") == replaced + replaced + replaced);      // a surrogate
    CHECK(safe_text("\xf4\x90\x80\x80").find('\xf4') == std::string::npos);  // beyond U+10FFFF
    CHECK(safe_text("\xe2\x82") == replaced + replaced);                     // cut off
}

TEST_CASE("control characters cannot reach the terminal") {
    CHECK(safe_text("a\x1b[2Jb") == "a\\x1b[2Jb");
    CHECK(safe_text(std::string("\0\r\x7f", 3)) == "\\x00\\x0d\\x7f");
    CHECK(safe_text("\xc2\x9b") == "\\x9b");
    CHECK(safe_text("one\ntwo") == "one\\ntwo");
    CHECK(safe_text("one\ntwo", true) == "one\ntwo");
}

TEST_CASE("numbers are written for people") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(human_bytes(1023) == "1023 B");
    CHECK(human_bytes(1536) == "1.5 KiB");
    CHECK(human_bytes(1ULL << 40) == "1.0 TiB");
    CHECK(human_count(12) == "12");
    CHECK(human_count(4.5) == "4.50");
    CHECK(human_count(423'000) == "423 k");
    CHECK(human_count(1'230'000) == "1.23 M");
    CHECK(human_time(75.9) == "1:15");
    CHECK(human_time(3725) == "1:02:05");
    CHECK(counted(1, "heap") == "1 heap");
    CHECK(counted(2000, "heap") == "2,000 heaps");
}

TEST_CASE("on a terminal one line is refreshed in place, and messages stay above it") {
    written out;
    {
        terminal screen(out.file(), true, 12);
        screen.refresh("first line, too long");
        screen.message("told");
        screen.refresh("2");
    }
    CHECK(out.text() == "\r\x1b[Kfirst line,"
                        "\r\x1b[Ktold\nfirst line,"
                        "\r\x1b[K2"
                        "\r\x1b[K");
}

TEST_CASE("where there is no terminal, only messages are written") {
    written out;
    {
        terminal screen(out.file(), false, 80);
        screen.refresh("rates");
        screen.message("told");
        screen.clear();
    }
    CHECK(out.text() == "told\n");
}

TEST_CASE("a progress bar is as wide as asked and full at the end") {
    CHECK(progress_bar(0, 100, 20) == "[>           ]   0 %");
    CHECK(progress_bar(50, 100, 20) == "[======>     ]  50 %");
    CHECK(progress_bar(100, 100, 20) == "[============] 100 %");
    CHECK(progress_bar(200, 100, 20) == "[============] 100 %");
    CHECK(progress_bar(0, 0, 20) == "[============] 100 %");
}

TEST_CASE("wrapped text keeps its words and stays within its columns") {
    CHECK(wrapped("one two three", 40, 2) == "  one two three\n");
    CHECK(wrapped("aaaa bbbb cccc dddd eeee ffff", 20, 0) == "aaaa bbbb cccc dddd\neeee ffff\n");
    CHECK(wrapped("averyveryverylongwordindeed x", 20, 0) == "averyveryverylongwordindeed\nx\n");
    CHECK(wrapped("a\n\nb", 40, 0) == "a\n\nb\n");
}

TEST_CASE("the help of each command fits its columns and explains each option") {
    for (const command& each : {inspect_command(), recv_command(), send_command()}) {
        const std::string help = help_of(each, 80);
        CAPTURE(each.name);
        CHECK(help.starts_with("usage: verbcast " + each.name));
        CHECK(help.find("Examples:") != std::string::npos);
        CHECK(help.find("Exit codes:") != std::string::npos);
        for (const option_section& section : each.sections)
            for (const option& one : section.options) {
                CHECK(help.find("  " + one.name) != std::string::npos);
                CHECK(one.help.ends_with("."));
            }
        const std::string_view options_only(help.data(), help.find("Examples:"));
        for (std::size_t at = 0; at < options_only.size();) {
            const std::size_t end = options_only.find('\n', at);
            CHECK(end - at <= 80);
            at = end + 1;
        }
    }
}

TEST_CASE("each reason of the account has words of its own") {
    std::set<std::string_view> words;
    for (std::size_t i = 0; i < reject_reason_count; ++i) words.insert(meaning(static_cast<reject_reason>(i)));
    for (std::size_t i = 0; i < ignore_reason_count; ++i) words.insert(meaning(static_cast<ignore_reason>(i)));
    CHECK(words.size() == reject_reason_count + ignore_reason_count);
    CHECK(!words.contains(""));
}
