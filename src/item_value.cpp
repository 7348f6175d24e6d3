// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_value.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <type_traits>

#include "src/byte_order.hpp"

namespace verbcast {
namespace {

template <class T>
struct is_complex : std::false_type {};
template <class T>
struct is_complex<std::complex<T>> : std::true_type {};

/// Whether a T can hold every value of the field, as element_value tells it.
template <class T>
bool is_convertible(const element_field& from) noexcept {
    using kind = element_kind;
    if constexpr (std::is_same_v<T, std::string>)
        return from.kind == kind::character || from.kind == kind::text || from.kind == kind::unicode ||
               from.kind == kind::raw;
    if (from.kind == kind::boolean) return from.bits <= 64;
    if constexpr (std::is_same_v<T, bool>) return false;
    if constexpr (std::is_integral_v<T>) {
        constexpr std::uint64_t digits = std::numeric_limits<T>::digits;
        if (from.kind == kind::signed_integer) return std::is_signed_v<T> && from.bits <= digits + 1;
        return from.kind == kind::unsigned_integer && from.bits <= digits;
    }
    if (from.kind == kind::unsigned_integer || from.kind == kind::signed_integer) return from.bits <= 64;
    return from.kind == kind::floating_point || (is_complex<T>::value && from.kind == kind::complex);
}

/// Reads the bits of one field: of every element, as many times as the field counts.
class bit_reader {
public:
    bit_reader(std::span<const std::byte> bytes, const element_field& field) : bytes_(bytes), field_(field) {}

    /// The field's bits from `first` on, as what it is.
    template <class T>
    T read(std::uint64_t first) const {
        if constexpr (std::is_same_v<T, std::string>) {
            return read_string(first);
        } else if constexpr (is_complex<T>::value) {
            using real = typename T::value_type;
            if (field_.kind != element_kind::complex) return T(read_number<real>(first, field_.bits));
            const std::uint64_t half = field_.bits / 2;
            return T(read_floating<real>(first, half), read_floating<real>(first + half, half));
        } else {
            return read_number<T>(first, field_.bits);
        }
    }

private:
    template <class T>
    T read_number(std::uint64_t first, std::uint64_t bits) const {
        if (field_.kind == element_kind::floating_point) return read_floating<T>(first, bits);
        const std::uint64_t raw = read_bits(first, bits);
        if (field_.kind == element_kind::boolean) return static_cast<T>(raw != 0);
        if (field_.kind == element_kind::unsigned_integer) return static_cast<T>(raw);
        assert(bits >= 1 && bits <= 64);
        const auto unused = static_cast<unsigned>(64 - bits);
        return static_cast<T>(static_cast<std::int64_t>(raw << unused) >> unused);
    }

    template <class T>
    T read_floating(std::uint64_t first, std::uint64_t bits) const {
        const std::uint64_t raw = read_bits(first, bits);
        if (bits == 64) return static_cast<T>(std::bit_cast<double>(raw));
        return static_cast<T>(std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
    }

    /// 1 to 64 bits in the field's byte order.
    std::uint64_t read_bits(std::uint64_t first, std::uint64_t bits) const {
        const bool whole_bytes = first % 8 == 0 && bits % 8 == 0;
        std::uint64_t value = whole_bytes ? read_bytes(first / 8, bits / 8) : read_most_significant_first(first, bits);
        if (field_.little_endian) value = __builtin_bswap64(value) >> (64 - bits);
        return value;
    }

    std::uint64_t read_bytes(std::uint64_t first, std::uint64_t count) const {
        std::array<std::byte, 8> room{};
        std::memcpy(room.data() + (8 - count), bytes_.data() + first, count);
        return load_big_endian(room.data());
    }

    std::uint64_t read_most_significant_first(std::uint64_t first, std::uint64_t bits) const {
        std::uint64_t value = 0;
        while (bits > 0) {
            const std::uint64_t there = 8 - first % 8;
            const std::uint64_t taken = std::min(there, bits);
            const auto byte = std::to_integer<std::uint64_t>(bytes_[first / 8]);
            value = value << taken | (byte >> (there - taken) & ((std::uint64_t{1} << taken) - 1));
            first += taken;
            bits -= taken;
        }
        return value;
    }

    std::string read_string(std::uint64_t first) const {
        std::string out;
        if (field_.kind == element_kind::unicode) {
            for (std::uint64_t at = 0; at < field_.bits; at += 32) append_utf8(out, read_bits(first + at, 32));
        } else {
            for (std::uint64_t at = 0; at < field_.bits; at += 8) out += static_cast<char>(read_octet(first + at));
        }
        if (field_.kind == element_kind::text || field_.kind == element_kind::unicode)
            out.erase(out.find_last_not_of('\0') + 1);
        return out;
    }

    std::uint64_t read_octet(std::uint64_t first) const {
        return first % 8 == 0 ? std::to_integer<std::uint64_t>(bytes_[first / 8])
                              : read_most_significant_first(first, 8);
    }

    static void append_utf8(std::string& out, std::uint64_t code_point) {
        const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
        if (code_point > 0x10ffff || surrogate) code_point = 0xfffd;
        if (code_point < 0x80) {
            out += static_cast<char>(code_point);
            return;
        }
        constexpr std::array<std::uint64_t, 4> leads = {0, 0xc0, 0xe0, 0xf0};
        const std::size_t continuations = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
        out += static_cast<char>(leads[continuations] | code_point >> (6 * continuations));
        for (std::size_t left = continuations; left-- > 0;)
            out += static_cast<char>(0x80 | (code_point >> (6 * left) & 0x3f));
    }

    std::span<const std::byte> bytes_;
    const element_field& field_;
};

}  // namespace

item_value::item_value(std::shared_ptr<const item_type> type, const item& raw, heap_ref owner)
    : type_(std::move(type)), id_(raw.id), heap_cnt_(owner->cnt()), immediate_(raw.immediate) {
    if (immediate_) {
        for (std::size_t i = 0; i < room_.size(); ++i) room_[7 - i] = static_cast<std::byte>(raw.value >> (8 * i));
        room_bytes_ = raw.length;
    } else {
        bytes_ = raw.bytes;
        owner_ = std::move(owner);
    }
    resolve_shape();
}

std::span<const std::byte> item_value::bytes() const noexcept {
    return immediate_ ? std::span<const std::byte>(room_).last(room_bytes_) : bytes_;
}

/// Finds out how many elements there are. Divides what is there by what is claimed, since the product may overflow.
void item_value::resolve_shape() {
    shape_.clear();
    size_ = 0;
    problem_ = type_->problem;
    if (problem_ != value_problem::none) return;
    const std::uint64_t elements_max = bytes().size() * 8 / type_->bits;
    bool variable = false;
    bool empty = false;
    for (const std::int64_t size : type_->shape) {
        variable = variable || size == descriptor::variable;
        empty = empty || size == 0;
    }
    // The number of elements in the dimensions that are said, up to one more than there can be.
    std::uint64_t said = empty ? 0 : 1;
    for (const std::int64_t size : type_->shape) {
        if (empty || size == descriptor::variable) continue;
        const auto length = static_cast<std::uint64_t>(size);
        said = length > elements_max / said ? elements_max + 1 : said * length;
        if (said > elements_max) break;
    }
    const std::uint64_t rest = empty ? 0 : elements_max / said;
    if (!variable && said > elements_max) {
        problem_ = value_problem::too_short;
        return;
    }
    for (const std::int64_t size : type_->shape)
        shape_.push_back(size == descriptor::variable ? rest : static_cast<std::uint64_t>(size));
    size_ = variable ? said * rest : said;
}

std::uint64_t item_value::first_bit() const noexcept { return immediate_ ? room_bytes_ * 8 - size_ * type_->bits : 0; }

value_result<std::size_t> item_value::only_field() const noexcept {
    if (problem_ != value_problem::none) return problem_;
    if (type_->fields.size() != 1) return value_problem::not_convertible;
    return std::size_t{0};
}

template <element_value T>
value_result<std::vector<T>> item_value::as() const {
    const auto field = only_field();
    if (!field) return field.problem();
    return as<T>(*field);
}

template <element_value T>
value_result<std::vector<T>> item_value::as(std::string_view field) const {
    const auto& fields = type_->fields;
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& each) { return each.name == field; });
    return as<T>(static_cast<std::size_t>(found - fields.begin()));
}

template <element_value T>
value_result<std::vector<T>> item_value::as(std::size_t field) const {
    if (problem_ != value_problem::none) return problem_;
    if (field >= type_->fields.size()) return value_problem::no_such_field;
    const element_field& from = type_->fields[field];
    if (!is_convertible<T>(from)) return value_problem::not_convertible;
    const bit_reader reader(bytes(), from);
    std::vector<T> out;
    out.reserve(size_ * from.count);
    std::uint64_t element = first_bit() + from.bit_offset;
    for (std::uint64_t i = 0; i < size_; ++i, element += type_->bits)
        for (std::uint64_t k = 0; k < from.count; ++k) out.push_back(reader.read<T>(element + k * from.bits));
    return out;
}

template <element_value T>
value_result<T> item_value::get(std::uint64_t position) const {
    const auto field = only_field();
    if (!field) return field.problem();
    const element_field& from = type_->fields[*field];
    if (from.count != 1 || !is_convertible<T>(from)) return value_problem::not_convertible;
    if (position >= size_) return value_problem::index_out_of_range;
    return bit_reader(bytes(), from).read<T>(first_bit() + position * type_->bits);
}

std::optional<std::uint64_t> item_value::position(std::initializer_list<std::uint64_t> index) const noexcept {
    if (problem_ != value_problem::none || index.size() != shape_.size() || size_ == 0) return std::nullopt;
    // No product overflows: each is at most size_.
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < shape_.size(); ++i) {
        const std::size_t dimension = type_->fortran_order ? shape_.size() - 1 - i : i;
        const std::uint64_t asked = index.begin()[dimension];
        if (asked >= shape_[dimension]) return std::nullopt;
        at = at * shape_[dimension] + asked;
    }
    return at;
}

value_result<std::string> item_value::text() const {
    const auto parts = as<std::string>();
    if (!parts) return parts.problem();
    std::string all;
    for (const std::string& each : *parts) all += each;
    return all;
}

item_value item_value::described_by(std::shared_ptr<const item_type> type) const {
    item_value out = *this;
    out.type_ = std::move(type);
    out.resolve_shape();
    return out;
}

item_value item_value::detached() const {
    item_value out = *this;
    if (!owner_) return out;
    std::shared_ptr<std::byte[]> copy(new std::byte[bytes_.size()]);
    std::copy(bytes_.begin(), bytes_.end(), copy.get());
    out.bytes_ = {copy.get(), bytes_.size()};
    out.copy_ = std::move(copy);
    out.owner_ = {};
    return out;
}

// NOLINTBEGIN(bugprone-macro-parentheses): T is a type.
#define VERBCAST_READ_AS(T)                                                                                            \
    template VERBCAST_API value_result<std::vector<T>> item_value::as<T>() const;                                      \
    template VERBCAST_API value_result<std::vector<T>> item_value::as<T>(std::string_view) const;                      \
    template VERBCAST_API value_result<std::vector<T>> item_value::as<T>(std::size_t) const;                           \
    template VERBCAST_API value_result<T> item_value::get<T>(std::uint64_t) const
// NOLINTEND(bugprone-macro-parentheses)
VERBCAST_READ_AS(bool);
VERBCAST_READ_AS(std::int8_t);
VERBCAST_READ_AS(std::uint8_t);
VERBCAST_READ_AS(std::int16_t);
VERBCAST_READ_AS(std::uint16_t);
VERBCAST_READ_AS(std::int32_t);
VERBCAST_READ_AS(std::uint32_t);
VERBCAST_READ_AS(std::int64_t);
VERBCAST_READ_AS(std::uint64_t);
VERBCAST_READ_AS(float);
VERBCAST_READ_AS(double);
VERBCAST_READ_AS(std::complex<float>);
VERBCAST_READ_AS(std::complex<double>);
VERBCAST_READ_AS(std::string);
#undef VERBCAST_READ_AS

}  // namespace verbcast
