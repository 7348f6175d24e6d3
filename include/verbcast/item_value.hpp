// SPDX-License-Identifier: BSD-3-Clause
/// The value of an item, with the type that its descriptor gives it.
#pragma once

#include <array>
#include <cassert>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <verbcast/api.hpp>
#include <verbcast/heap.hpp>
#include <verbcast/item_type.hpp>

namespace verbcast {

/// A T, or why there is none. Ask before you take: `if (const auto gains = value.as<float>()) use(*gains);`
template <class T>
class [[nodiscard]] value_result {
public:
    // Implicit, so that a function returns the one or the other.
    value_result(T value) : value_(std::move(value)) {}                  // NOLINT(google-explicit-constructor)
    value_result(value_problem problem) noexcept : problem_(problem) {}  // NOLINT(google-explicit-constructor)

    explicit operator bool() const noexcept { return problem_ == value_problem::none; }
    value_problem problem() const noexcept { return problem_; }
    /// Only where there is no problem: an assertion. In release builds a default T.
    const T& operator*() const& noexcept { return asserted(); }
    T operator*() && noexcept {
        asserted();
        return std::move(value_);
    }
    const T* operator->() const noexcept { return &asserted(); }

private:
    const T& asserted() const noexcept {
        assert(problem_ == value_problem::none && "ask whether there is a value before taking it");
        return value_;
    }

    T value_{};
    value_problem problem_ = value_problem::none;
};

/// What an element can be read as.
///
/// Integers take integers that always fit, and booleans; `float` and `double` take every number, rounded; complex
/// numbers these and complex ones; `bool` takes booleans; strings take characters, text (without the NULs behind it),
/// Unicode (as UTF-8) and raw bytes.
template <class T>
concept element_value = std::same_as<T, bool> || std::same_as<T, std::int8_t> || std::same_as<T, std::uint8_t> ||
    std::same_as<T, std::int16_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::int32_t> ||
    std::same_as<T, std::uint32_t> || std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::complex<float>> ||
    std::same_as<T, std::complex<double>> || std::same_as<T, std::string>;

/// A read-only view of a value in a heap, which it keeps alive. Copies are cheap and share the bytes. Const access from
/// any thread. Nothing here throws but std::bad_alloc, and nothing is read beyond the value, whatever its shape claims.
class VERBCAST_API item_value {
public:
    /// `raw` is an item of `owner`. `type` is not null.
    item_value(std::shared_ptr<const item_type> type, const item& raw, heap_ref owner);

    std::uint64_t id() const noexcept { return id_; }
    const std::string& name() const noexcept { return type_->source.name; }
    const item_type& type() const noexcept { return *type_; }
    /// Of the heap that it came with.
    std::uint64_t heap_cnt() const noexcept { return heap_cnt_; }

    /// `none`, or why no element can be read. The bytes can.
    value_problem problem() const noexcept { return problem_; }
    /// The length of each dimension, the variable one too. Empty for a scalar, and with a problem.
    std::span<const std::uint64_t> shape() const noexcept { return shape_; }
    /// Elements: the product of the shape.
    std::uint64_t size() const noexcept { return size_; }
    /// As they came; an immediate's as in its pointer, right-aligned.
    std::span<const std::byte> bytes() const noexcept;

    /// All elements in the order they came in: the last index varies fastest, or the first in type().fortran_order.
    template <element_value T>
    value_result<std::vector<T>> as() const;
    /// A field of each record; where a field has a count, its numbers follow one another.
    template <element_value T>
    value_result<std::vector<T>> as(std::string_view field) const;
    /// By the field's place among type().fields: FORMAT gives no names.
    template <element_value T>
    value_result<std::vector<T>> as(std::size_t field) const;

    /// One element.
    template <element_value T>
    value_result<T> get(std::uint64_t position = 0) const;
    /// Where in that order the element of an index is: `value.get<float>(*value.position({antenna, channel}))`.
    std::optional<std::uint64_t> position(std::initializer_list<std::uint64_t> index) const noexcept;

    /// All characters as one string.
    value_result<std::string> text() const;

    /// The same value by another type.
    item_value described_by(std::shared_ptr<const item_type> type) const;
    /// The same value in memory of its own, so that the heap can go.
    item_value detached() const;
    /// The heap whose bytes these are; null for an immediate, and when detached.
    const heap* owner() const noexcept { return owner_ ? &*owner_ : nullptr; }

private:
    void resolve_shape();
    std::uint64_t first_bit() const noexcept;
    value_result<std::size_t> only_field() const noexcept;

    std::shared_ptr<const item_type> type_;
    std::uint64_t id_ = 0;
    std::uint64_t heap_cnt_ = 0;
    value_problem problem_ = value_problem::none;
    std::vector<std::uint64_t> shape_;
    std::uint64_t size_ = 0;
    bool immediate_ = false;
    std::array<std::byte, 8> room_{};  // an immediate, right-aligned
    std::size_t room_bytes_ = 0;       // how many of them are its own
    std::span<const std::byte> bytes_;
    heap_ref owner_;
    std::shared_ptr<const std::byte[]> copy_;
};

}  // namespace verbcast
