// SPDX-License-Identifier: BSD-3-Clause
#include "tools/host/svg_canvas.hpp"

#include <fmt/format.h>

#include "tools/safe_text.hpp"

namespace verbcast::tools {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char each : safe_text(text)) {
        switch (each) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        default: out += each;
        }
    }
    return out;
}

/// Nobody can measure text here: the width of an average letter, and a little more.
double width_of(std::string_view text, const svg_canvas::font& how) {
    std::size_t letters = 0;
    for (const char each : text) letters += (static_cast<unsigned char>(each) & 0xC0U) != 0x80U;
    return static_cast<double>(letters) * how.size * (how.fixed ? 0.61 : 0.58);
}

std::string cut(std::string_view text, const svg_canvas::font& how, double width) {
    if (width <= 0 || width_of(text, how) <= width) return std::string(text);
    std::string_view shorter = text;
    while (!shorter.empty() && width_of(shorter, how) + how.size > width) {
        shorter.remove_suffix(1);
        while (!shorter.empty() && (static_cast<unsigned char>(shorter.back()) & 0xC0U) == 0x80U)
            shorter.remove_suffix(1);
    }
    while (!shorter.empty() && shorter.back() == ' ') shorter.remove_suffix(1);
    return std::string(shorter) + "…";
}

}  // namespace

void svg_canvas::rectangle(const box& at, const paint& how) {
    shapes_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{:g}\" fill=\"{}\" "
                           "stroke=\"{}\" stroke-width=\"{:g}\"/>\n",
                           at.x, at.y, at.width, at.height, how.radius, how.fill, how.stroke, how.stroke_width);
}

void svg_canvas::circle(double x, double y, double radius, std::string_view fill) {
    shapes_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\" fill=\"{}\"/>\n", x, y, radius, fill);
}

void svg_canvas::line(double x1, double y1, double x2, double y2, std::string_view stroke, double width) {
    shapes_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
                           "stroke-width=\"{:g}\" stroke-linecap=\"round\"/>\n",
                           x1, y1, x2, y2, stroke, width);
}

void svg_canvas::text(double x, double y, std::string_view words, const font& how, double width) {
    shapes_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:g}\" fill=\"{}\" font-weight=\"{}\" "
                           "text-anchor=\"{}\"{}>{}</text>\n",
                           x, y, how.size, how.fill, how.weight, how.anchor,
                           how.fixed ? " font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\"" : "",
                           escaped(cut(words, how, width)));
}

std::string svg_canvas::write(double width, double height, std::string_view title) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "font-family=\"Inter, Segoe UI, Helvetica Neue, DejaVu Sans, sans-serif\">\n<title>{2}</title>\n{3}</svg>\n",
        width, height, escaped(title), shapes_);
}

}  // namespace verbcast::tools
