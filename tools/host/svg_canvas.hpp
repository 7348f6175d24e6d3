// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace verbcast::tools {

struct box {
    double x = 0;
    double y = 0;
    double width = 0;
    double height = 0;
};

/// Collects shapes; write() puts them into one SVG document.
class svg_canvas {
public:
    struct paint {
        std::string_view fill = "none";
        std::string_view stroke = "none";
        double stroke_width = 1;
        double radius = 0;
    };
    struct font {
        double size = 12;
        std::string_view fill = "#1f2933";
        std::string_view weight = "400";
        std::string_view anchor = "start";
        bool fixed = false;  ///< each letter as wide as the others
    };

    void rectangle(const box& at, const paint& how);
    void circle(double x, double y, double radius, std::string_view fill);
    void line(double x1, double y1, double x2, double y2, std::string_view stroke, double width);
    /// Cut with an ellipsis where it would be wider than `width`; 0 does not cut. `y` is of the base line.
    void text(double x, double y, std::string_view words, const font& how, double width = 0);

    std::string write(double width, double height, std::string_view title) const;

private:
    std::string shapes_;
};

}  // namespace verbcast::tools
