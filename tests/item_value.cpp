// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_value.hpp>

#include <catch2/catch.hpp>

#include <bit>

#include "support/heap_builder.hpp"

using namespace verbcast;
using namespace verbcast::test;
using sizes = std::vector<std::uint64_t>;

namespace {

struct described {
    std::vector<format_field> format = {};
    std::vector<std::int64_t> shape = {};
    std::string numpy_header = {};
};

std::shared_ptr<const item_type> type_of(const described& by) {
    return std::make_shared<const item_type>(descriptor{
        .id = 0x1000, .name = "value", .format = by.format, .shape = by.shape, .numpy_header = by.numpy_header});
}

described numpy(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
    return {.numpy_header = "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + "}"};
}

item_value addressed_value(const described& by, const bytes& value) {
    const heap_ref heap = make_heap({.cnt = 7, .values = {{0x1000, value}}});
    return {type_of(by), heap->items()[0], heap};
}

/// In SPEAD-64-48: 6 bytes.
item_value immediate_value(const described& by, std::uint64_t value) {
    const heap_ref heap = make_heap({.cnt = 7, .immediates = {immediate(0x1000, value)}});
    return {type_of(by), heap->items()[0], heap};
}

std::vector<std::uint64_t> shape_of(const item_value& value) { return {value.shape().begin(), value.shape().end()}; }

template <class T>
std::vector<T> all(const item_value& value) {
    const auto found = value.as<T>();
    REQUIRE(found);
    return *found;
}

}  // namespace

TEST_CASE("bits are packed most significant first, across bytes and elements", "[item_value]") {
    const item_value value =
        addressed_value({.format = {{'i', 12}}, .shape = {3}}, from_octets({0x7f, 0xf8, 0x00, 0xff, 0xe0}));
    CHECK(all<std::int16_t>(value) == std::vector<std::int16_t>{2047, -2048, -2});
    CHECK(all<double>(value) == std::vector<double>{2047, -2048, -2});
    CHECK(value.get<std::int64_t>(2).operator*() == -2);
}

TEST_CASE("the fields of a FORMAT are read by their place", "[item_value]") {
    const bytes element = join({from_octets({0x80 | 0x7f, 'x'}), from_integer(std::bit_cast<std::uint32_t>(1.5F), 4)});
    const item_value value =
        addressed_value({.format = {{'b', 1}, {'i', 7}, {'c', 8}, {'f', 32}}, .shape = {2}}, join({element, element}));
    CHECK(*value.as<bool>(0) == std::vector<bool>{true, true});
    CHECK(*value.as<int8_t>(1) == std::vector<std::int8_t>{-1, -1});
    CHECK(*value.as<std::string>(2) == std::vector<std::string>{"x", "x"});
    CHECK(*value.as<float>(3) == std::vector<float>{1.5F, 1.5F});
    CHECK(value.as<float>(4).problem() == value_problem::no_such_field);
    CHECK(value.as<float>().problem() == value_problem::not_convertible);
    CHECK(value.get<float>().problem() == value_problem::not_convertible);
}

TEST_CASE("the fields of a numpy record are read by name", "[item_value]") {
    const item_value value = addressed_value(numpy("[('n', '>u2'), ('xy', '<i2', (2,))]", "(2,)"),
                                             from_octets({0, 1, 2, 0, 3, 0, 0, 4, 5, 0, 0xff, 0xff}));
    CHECK(*value.as<std::uint16_t>("n") == std::vector<std::uint16_t>{1, 4});
    CHECK(*value.as<std::int16_t>("xy") == std::vector<std::int16_t>{2, 3, 5, -1});
    CHECK(value.as<std::int16_t>("z").problem() == value_problem::no_such_field);
}

TEST_CASE("both byte orders of numpy are read", "[item_value]") {
    const bytes value = from_octets({1, 2, 3, 4, 5, 6, 7, 8});
    CHECK(all<std::uint32_t>(addressed_value(numpy("'>u4'", "(2,)"), value)) ==
          std::vector<std::uint32_t>{0x01020304, 0x05060708});
    CHECK(all<std::uint32_t>(addressed_value(numpy("'<u4'", "(2,)"), value)) ==
          std::vector<std::uint32_t>{0x04030201, 0x08070605});
    CHECK(all<std::uint64_t>(addressed_value(numpy("'<u8'", "()"), value)) ==
          std::vector<std::uint64_t>{0x0807060504030201});
    CHECK(all<std::uint8_t>(addressed_value(numpy("'|u1'", "(8,)"), value)).size() == 8);
}

TEST_CASE("floating-point and complex numbers are read", "[item_value]") {
    const bytes real = from_integer(std::bit_cast<std::uint32_t>(-0.25F), 4);
    const bytes imaginary = from_integer(std::bit_cast<std::uint32_t>(3.0F), 4);
    const item_value value = addressed_value(numpy("'>c8'", "(1,)"), join({real, imaginary}));
    CHECK(all<std::complex<float>>(value) == std::vector<std::complex<float>>{{-0.25F, 3.0F}});
    CHECK(all<std::complex<double>>(value) == std::vector<std::complex<double>>{{-0.25, 3.0}});
    CHECK(value.as<float>().problem() == value_problem::not_convertible);

    const item_value wide =
        addressed_value({.format = {{'f', 64}}}, from_integer(std::bit_cast<std::uint64_t>(0.1), 8));
    CHECK(all<double>(wide) == std::vector<double>{0.1});
    CHECK(all<float>(wide) == std::vector<float>{0.1F});
    CHECK(all<std::complex<double>>(wide) == std::vector<std::complex<double>>{0.1});
}

TEST_CASE("an immediate is right-aligned in its bytes", "[item_value]") {
    CHECK(all<std::uint32_t>(immediate_value({.format = {{'u', 32}}}, 0x12345678)) ==
          std::vector<std::uint32_t>{0x12345678});
    CHECK(all<std::int8_t>(immediate_value({.format = {{'i', 4}}, .shape = {2}}, 0x1f)) ==
          std::vector<std::int8_t>{1, -1});
    CHECK(all<std::uint64_t>(immediate_value({.format = {{'u', 48}}}, 0xfedcba987654)) ==
          std::vector<std::uint64_t>{0xfedcba987654});
    CHECK(immediate_value({.format = {{'u', 49}}}, 1).problem() == value_problem::too_short);
    CHECK(immediate_value({}, 0x010203).bytes().size() == 6);
}

TEST_CASE("an addressed value is left-aligned, and may be longer than its shape", "[item_value]") {
    CHECK(all<std::uint8_t>(addressed_value({.format = {{'u', 4}}}, from_octets({0xab, 0xcd}))) ==
          std::vector<std::uint8_t>{0xa});
}

TEST_CASE("a variable dimension is as long as the value allows", "[item_value]") {
    const item_value text = addressed_value({.format = {{'c', 8}}, .shape = {-1}}, from_text("hello world"));
    CHECK(shape_of(text) == sizes{11});
    CHECK(*text.text() == "hello world");

    const item_value pairs = addressed_value({.format = {{'u', 16}}, .shape = {-1, 2}}, zeros(11));
    CHECK(shape_of(pairs) == sizes{2, 2});
    CHECK(pairs.size() == 4);
    const item_value none = addressed_value({.format = {{'u', 16}}, .shape = {-1, 0}}, zeros(11));
    CHECK(shape_of(none) == sizes{0, 0});
    CHECK(none.as<int>()->empty());
}

TEST_CASE("a value too short for its shape is an error value", "[item_value]") {
    const described three{.format = {{'u', 12}}, .shape = {3}};
    CHECK(addressed_value(three, zeros(5)).problem() == value_problem::none);
    const item_value cut = addressed_value(three, zeros(4));
    CHECK(cut.problem() == value_problem::too_short);
    CHECK(cut.as<int>().problem() == value_problem::too_short);
    CHECK(cut.get<int>(0).problem() == value_problem::too_short);
    CHECK(cut.text().problem() == value_problem::too_short);
    CHECK(cut.bytes().size() == 4);
    CHECK(cut.size() == 0);
}

TEST_CASE("hostile shapes do not overflow", "[item_value]") {
    constexpr std::int64_t huge = std::int64_t{1} << 60;
    const auto shaped = [](std::vector<std::int64_t> shape) {
        return addressed_value({.format = {{'u', 8}}, .shape = std::move(shape)}, zeros(64));
    };
    CHECK(shaped({huge, huge}).problem() == value_problem::too_short);
    CHECK(shaped({huge, 16}).problem() == value_problem::too_short);
    CHECK(shaped({16, huge}).problem() == value_problem::too_short);
    CHECK(shaped({huge, huge, 0}).size() == 0);
    CHECK(shaped({huge, huge, 0}).problem() == value_problem::none);
    CHECK_FALSE(shaped({huge, huge, 0}).position({1, 1, 0}));
    CHECK(shaped({-1, huge}).size() == 0);
    CHECK(shaped(std::vector<std::int64_t>(100, 2)).problem() == value_problem::too_short);
    CHECK(addressed_value({.format = {{'u', std::uint64_t{1} << 55}}}, zeros(64)).problem() ==
          value_problem::too_short);
}

TEST_CASE("numbers are only read as types that hold every one of them", "[item_value]") {
    const auto readable = []<class T>(const format_field& field, T) {
        return static_cast<bool>(addressed_value({.format = {field}}, zeros(32)).as<T>());
    };
    CHECK(readable({'u', 8}, std::uint8_t{}));
    CHECK_FALSE(readable({'u', 9}, std::uint8_t{}));
    CHECK(readable({'u', 7}, std::int8_t{}));
    CHECK_FALSE(readable({'u', 8}, std::int8_t{}));
    CHECK(readable({'i', 8}, std::int8_t{}));
    CHECK_FALSE(readable({'i', 8}, std::uint64_t{}));
    CHECK(readable({'u', 64}, std::uint64_t{}));
    CHECK_FALSE(readable({'u', 65}, std::uint64_t{}));
    CHECK_FALSE(readable({'u', 65}, double{}));
    CHECK_FALSE(readable({'f', 32}, std::int64_t{}));
    CHECK(readable({'b', 1}, int{}));
    CHECK(readable({'b', 1}, bool{}));
    CHECK_FALSE(readable({'u', 1}, bool{}));
    CHECK_FALSE(readable({'u', 8}, std::string{}));
    CHECK_FALSE(readable({'c', 8}, int{}));
}

TEST_CASE("text comes without the NULs behind it, Unicode as UTF-8", "[item_value]") {
    const item_value names =
        addressed_value(numpy("'|S4'", "(2,)"), join({from_text("ab"), zeros(2), from_text("abcd")}));
    CHECK(all<std::string>(names) == std::vector<std::string>{"ab", "abcd"});

    bytes wide;
    for (const std::uint64_t each : {0x41, 0xe9, 0x20ac, 0x1f4e1, 0xd800, 0x110000, 0})
        wide = join({wide, from_integer(each, 4)});
    const item_value text = addressed_value(numpy("'>U7'", "()"), wide);
    CHECK(*text.get<std::string>() == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa1\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("an index is found in the order that the elements came in", "[item_value]") {
    const item_value rows = addressed_value(numpy("'|u1'", "(2, 3)"), from_octets({0, 1, 2, 10, 11, 12}));
    CHECK(*rows.get<int>(*rows.position({1, 2})) == 12);
    const item_value columns = addressed_value(numpy("'|u1'", "(2, 3)", "True"), from_octets({0, 10, 1, 11, 2, 12}));
    CHECK(columns.type().fortran_order);
    CHECK(*columns.get<int>(*columns.position({1, 2})) == 12);
    CHECK_FALSE(rows.position({2, 0}));
    CHECK_FALSE(rows.position({0, 3}));
    CHECK_FALSE(rows.position({1}));
    CHECK(rows.get<int>(6).problem() == value_problem::index_out_of_range);
    CHECK(immediate_value({.format = {{'u', 8}}}, 5).position({}) == 0U);
}

TEST_CASE("without a type there are still the bytes", "[item_value]") {
    const item_value value = addressed_value({}, from_text("abc"));
    CHECK(value.problem() == value_problem::type_unknown);
    CHECK(value.as<int>().problem() == value_problem::type_unknown);
    CHECK(value.bytes().size() == 3);
}

TEST_CASE("a value outlives the reference to its heap, and what is detached needs no heap at all", "[item_value]") {
    const item_value value = addressed_value({.format = {{'c', 8}}, .shape = {-1}}, from_text("kept"));
    CHECK(value.owner() != nullptr);
    CHECK(value.heap_cnt() == 7);
    const item_value copy = value.detached();
    CHECK(copy.owner() == nullptr);
    CHECK(copy.bytes().data() != value.bytes().data());
    CHECK(*copy.text() == "kept");
}
