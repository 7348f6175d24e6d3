// SPDX-License-Identifier: BSD-3-Clause
#include "src/python_literal.hpp"

#include <charconv>

namespace verbcast {
namespace {

constexpr std::size_t source_bytes_max = std::size_t{16} * 1024;
constexpr int depth_max = 16;

using kind = python_literal::kind;
using literal = std::optional<python_literal>;

class parser {
public:
    explicit parser(std::string_view source) : rest_(source) {}

    literal parse_all() {
        literal found = parse_value(0);
        peek();
        if (!found || !rest_.empty()) return std::nullopt;
        return found;
    }

private:
    static constexpr char end = '\0';

    /// The next character that is not white space.
    char peek() {
        const std::size_t blanks = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(blanks == std::string_view::npos ? rest_.size() : blanks);
        return rest_.empty() ? end : rest_.front();
    }

    bool take(std::string_view expected) {
        peek();
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    literal parse_value(int depth) {
        if (depth > depth_max) return std::nullopt;
        if (take("(")) return parse_parts(')', depth);
        if (take("[")) return parse_parts(']', depth);
        if (take("{")) return parse_parts('}', depth);
        if (take("True")) return python_literal{.what = kind::boolean, .integer = 1};
        if (take("False")) return python_literal{.what = kind::boolean};
        const char first = peek();
        if (first == '\'' || first == '"') return parse_text();
        if ((first == 'u' || first == 'b') && rest_.size() > 1 && (rest_[1] == '\'' || rest_[1] == '"')) {
            rest_.remove_prefix(1);
            return parse_text();
        }
        return parse_integer();
    }

    /// Up to the closing bracket. A dictionary has two parts an entry, and `:` between them.
    literal parse_parts(char closing, int depth) {
        const bool dictionary = closing == '}';
        python_literal out{.what = dictionary ? kind::dictionary : kind::sequence};
        const std::string_view close(&closing, 1);
        while (!take(close)) {
            literal part = parse_value(depth + 1);
            if (!part) return std::nullopt;
            out.parts.push_back(std::move(*part));
            if (dictionary && out.parts.size() % 2 == 1) {
                if (!take(":")) return std::nullopt;
            } else if (!take(",") && peek() != closing) {
                return std::nullopt;
            }
        }
        if (dictionary && out.parts.size() % 2 == 1) return std::nullopt;
        // In Python `(x)` is x; only a comma makes a tuple. No header depends on it.
        return out;
    }

    literal parse_text() {
        const char quote = rest_.front();
        rest_.remove_prefix(1);
        python_literal out{.what = kind::text};
        while (!rest_.empty() && rest_.front() != quote) {
            if (rest_.front() == '\\') {
                if (!take_escape(out.text)) return std::nullopt;
            } else {
                out.text += rest_.front();
                rest_.remove_prefix(1);
            }
        }
        if (rest_.empty()) return std::nullopt;
        rest_.remove_prefix(1);
        return out;
    }

    bool take_escape(std::string& text) {
        constexpr std::string_view letters = "\\'\"nrt";
        constexpr std::string_view meanings = "\\'\"\n\r\t";
        if (rest_.size() >= 4 && rest_[1] == 'x') {
            unsigned value = 0;
            const auto [stop, error] = std::from_chars(rest_.data() + 2, rest_.data() + 4, value, 16);
            if (error != std::errc() || stop != rest_.data() + 4) return false;
            text += static_cast<char>(value);
            rest_.remove_prefix(4);
            return true;
        }
        const std::size_t which = rest_.size() >= 2 ? letters.find(rest_[1]) : std::string_view::npos;
        if (which == std::string_view::npos) return false;
        text += meanings[which];
        rest_.remove_prefix(2);
        return true;
    }

    literal parse_integer() {
        python_literal out{.what = kind::integer};
        const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out.integer);
        if (error != std::errc()) return std::nullopt;
        rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
        if (rest_.starts_with('L')) rest_.remove_prefix(1);  // Python 2
        return out;
    }

    std::string_view rest_;
};

}  // namespace

const python_literal* python_literal::find(std::string_view key) const noexcept {
    const python_literal* found = nullptr;
    if (!is(kind::dictionary)) return found;
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2)
        if (parts[i].is(kind::text) && parts[i].text == key) found = &parts[i + 1];
    return found;
}

std::optional<python_literal> parse_python_literal(std::string_view source) {
    if (source.size() > source_bytes_max) return std::nullopt;
    return parser(source).parse_all();
}

}  // namespace verbcast
