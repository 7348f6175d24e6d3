// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_type.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "src/python_literal.hpp"

namespace verbcast {
namespace {

/// More fields than any record has; keeps a small descriptor from making a large type.
constexpr std::size_t fields_max = 1024;

using fields_found = std::optional<std::vector<element_field>>;

bool is_one_of(std::uint64_t bits, std::initializer_list<std::uint64_t> allowed) {
    return std::find(allowed.begin(), allowed.end(), bits) != allowed.end();
}

std::optional<element_kind> format_kind(const format_field& field) {
    if (field.bits == 0) return std::nullopt;
    switch (field.character) {
    case 'u': return element_kind::unsigned_integer;
    case 'i': return element_kind::signed_integer;
    case 'b': return element_kind::boolean;
    case 'c': return field.bits == 8 ? std::optional(element_kind::character) : std::nullopt;
    case 'f': return is_one_of(field.bits, {32, 64}) ? std::optional(element_kind::floating_point) : std::nullopt;
    default: return std::nullopt;
    }
}

fields_found fields_of(const std::vector<format_field>& format) {
    if (format.empty() || format.size() > fields_max) return std::nullopt;
    std::vector<element_field> fields;
    for (const format_field& each : format) {
        const auto kind = format_kind(each);
        if (!kind) return std::nullopt;
        fields.push_back({.kind = *kind, .bits = each.bits});
    }
    return fields;
}

/// A type such as `<f8`: byte order, kind, size in bytes (in characters for U).
class numpy_code {
public:
    static std::optional<element_field> parse(std::string_view code, bool swap_endian) {
        // Without a sign, and with =, the order is the sender's own: nearly all are little-endian.
        bool little_endian = !code.starts_with('>');
        if (swap_endian && !code.starts_with('|')) little_endian = !little_endian;
        if (!code.empty() && std::string_view("<>|=").find(code.front()) != std::string_view::npos)
            code.remove_prefix(1);
        if (code == "?") code = "b1";
        if (code.empty()) return std::nullopt;

        std::uint64_t size = 0;
        const char* const last = code.data() + code.size();
        const auto [stop, error] = std::from_chars(code.data() + 1, last, size);
        if (error != std::errc() || stop != last || size == 0 || size > size_max) return std::nullopt;
        const auto kind = kind_of(code.front(), size);
        if (!kind) return std::nullopt;
        const std::uint64_t unit_bits = *kind == element_kind::unicode ? 32 : 8;
        return element_field{.kind = *kind, .bits = size * unit_bits, .little_endian = little_endian};
    }

private:
    static constexpr std::uint64_t size_max = std::uint64_t{1} << 40;

    static std::optional<element_kind> kind_of(char letter, std::uint64_t size) {
        const auto with_size = [size](element_kind kind, std::initializer_list<std::uint64_t> allowed) {
            return is_one_of(size, allowed) ? std::optional(kind) : std::nullopt;
        };
        switch (letter) {
        case 'u': return with_size(element_kind::unsigned_integer, {1, 2, 4, 8});
        case 'i': return with_size(element_kind::signed_integer, {1, 2, 4, 8});
        case 'f': return with_size(element_kind::floating_point, {4, 8});
        case 'c': return with_size(element_kind::complex, {8, 16});
        case 'b': return with_size(element_kind::boolean, {1});
        case 'S':
        case 'a': return element_kind::text;
        case 'U': return element_kind::unicode;
        case 'V': return element_kind::raw;
        default: return std::nullopt;
        }
    }
};

/// The sizes in a shape: an integer, or a sequence of them.
std::optional<std::vector<std::int64_t>> sizes_of(const python_literal& source) {
    using kind = python_literal::kind;
    if (source.is(kind::integer)) return std::vector{source.integer};
    if (!source.is(kind::sequence)) return std::nullopt;
    std::vector<std::int64_t> sizes;
    for (const python_literal& each : source.parts) {
        if (!each.is(kind::integer)) return std::nullopt;
        sizes.push_back(each.integer);
    }
    return sizes;
}

/// Multiplies `count` by all sizes; false when one is not positive or the product does not fit.
bool multiply(std::uint64_t& count, const std::vector<std::int64_t>& sizes) {
    for (const std::int64_t size : sizes)
        if (size <= 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count)) return false;
    return true;
}

/// Reads numpy's `descr`: a code, or a list of (name, descr) and (name, descr, shape).
class numpy_record {
public:
    explicit numpy_record(bool swap_endian) : swap_endian_(swap_endian) {}

    fields_found read(const python_literal& descr) {
        if (!add(descr, {}, 1) || fields_.empty()) return std::nullopt;
        return std::move(fields_);
    }

private:
    bool add(const python_literal& descr, const std::string& name, std::uint64_t count) {
        if (descr.is(python_literal::kind::sequence)) return count == 1 && add_fields(descr, name);
        auto field = descr.is(python_literal::kind::text) ? numpy_code::parse(descr.text, swap_endian_) : std::nullopt;
        if (!field || fields_.size() == fields_max) return false;
        field->name = name;
        field->count = count;
        fields_.push_back(std::move(*field));
        return true;
    }

    bool add_fields(const python_literal& list, const std::string& outer) {
        using kind = python_literal::kind;
        for (const python_literal& each : list.parts) {
            if (!each.is(kind::sequence) || each.parts.size() < 2 || each.parts.size() > 3) return false;
            // A name may come with a title: (title, name).
            const python_literal* name = &each.parts[0];
            if (name->is(kind::sequence) && name->parts.size() == 2) name = &name->parts[1];
            if (!name->is(kind::text)) return false;
            std::uint64_t count = 1;
            if (each.parts.size() == 3) {
                const auto sizes = sizes_of(each.parts[2]);
                if (!sizes || !multiply(count, *sizes)) return false;
            }
            if (!add(each.parts[1], outer.empty() ? name->text : outer + '.' + name->text, count)) return false;
        }
        return true;
    }

    const bool swap_endian_;
    std::vector<element_field> fields_;
};

/// Puts the fields one behind the other; the bits of all, or 0 when they are too many to count.
std::uint64_t lay_out(std::vector<element_field>& fields) {
    std::uint64_t end = 0;
    for (element_field& each : fields) {
        each.bit_offset = end;
        std::uint64_t bits = 0;
        if (__builtin_mul_overflow(each.bits, each.count, &bits) || __builtin_add_overflow(end, bits, &end)) return 0;
    }
    return end;
}

bool is_shape(const std::vector<std::int64_t>& sizes) {
    const bool valid = std::all_of(sizes.begin(), sizes.end(), [](auto size) { return size >= descriptor::variable; });
    return valid && std::count(sizes.begin(), sizes.end(), descriptor::variable) <= 1;
}

}  // namespace

std::string_view describe(value_problem problem) noexcept {
    switch (problem) {
    case value_problem::none: return "no problem";
    case value_problem::type_unknown: return "its descriptor has no type, or one that is not known here";
    case value_problem::shape_unknown: return "its shape has several variable dimensions, or cannot be read";
    case value_problem::too_short: return "it has fewer bytes than its shape needs";
    case value_problem::not_convertible: return "its type does not fit into the one asked for";
    case value_problem::no_such_field: return "it has no such field";
    case value_problem::index_out_of_range: return "it has no element at that index";
    }
    return "unknown problem";
}

item_type::item_type(descriptor described_by, compatibility mask) : source(std::move(described_by)) {
    fields_found found;
    if (source.numpy_header.empty()) {
        found = fields_of(source.format);
        shape = source.shape;
    } else if (const auto header = parse_python_literal(source.numpy_header)) {
        const python_literal* const descr = header->find("descr");
        const python_literal* const sizes = header->find("shape");
        const python_literal* const order = header->find("fortran_order");
        if (descr) found = numpy_record(has(mask, compatibility::swap_endian)).read(*descr);
        const auto numbers = sizes ? sizes_of(*sizes) : std::nullopt;
        if (numbers) shape = *numbers;
        if (!numbers) problem = value_problem::shape_unknown;
        fortran_order = order && order->is(python_literal::kind::boolean) && order->integer != 0;
    }
    if (found) {
        fields = std::move(*found);
        bits = lay_out(fields);
    }
    if (!is_shape(shape)) problem = value_problem::shape_unknown;
    if (bits == 0) problem = value_problem::type_unknown;
}

}  // namespace verbcast
