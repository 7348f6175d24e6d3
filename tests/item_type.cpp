// SPDX-License-Identifier: BSD-3-Clause
#include <verbcast/item_type.hpp>

#include <catch2/catch.hpp>

using namespace verbcast;
using kind = verbcast::element_kind;

namespace {

item_type of_format(std::vector<format_field> format, std::vector<std::int64_t> shape = {}) {
    return item_type(descriptor{.id = 1, .format = std::move(format), .shape = std::move(shape)});
}

item_type of_numpy(const std::string& descr, const std::string& shape = "()",
                   compatibility mask = compatibility::none) {
    return item_type(
        descriptor{.id = 1, .numpy_header = "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + "}"},
        mask);
}

}  // namespace

TEST_CASE("a FORMAT is fields of any width, packed most significant bit first", "[item_type]") {
    const item_type type = of_format({{'b', 1}, {'i', 7}, {'c', 8}, {'f', 32}, {'u', 100}}, {-1, 2});
    CHECK(type.problem == value_problem::none);
    CHECK(type.bits == 148);
    CHECK(type.shape == std::vector<std::int64_t>{-1, 2});
    CHECK_FALSE(type.fortran_order);
    CHECK(type.fields == std::vector<element_field>{
                             {.kind = kind::boolean, .bit_offset = 0, .bits = 1},
                             {.kind = kind::signed_integer, .bit_offset = 1, .bits = 7},
                             {.kind = kind::character, .bit_offset = 8, .bits = 8},
                             {.kind = kind::floating_point, .bit_offset = 16, .bits = 32},
                             {.kind = kind::unsigned_integer, .bit_offset = 48, .bits = 100},
                         });
}

TEST_CASE("f has 32 or 64 bits, c has 8, and no field has none", "[item_type]") {
    for (const format_field& wrong : {format_field{'f', 16}, format_field{'c', 7}, format_field{'u', 0},
                                      format_field{'x', 8}, format_field{'\0', 8}})
        CHECK(of_format({{'u', 8}, wrong}).problem == value_problem::type_unknown);
    CHECK(of_format({}).problem == value_problem::type_unknown);
}

TEST_CASE("at most one dimension is variable", "[item_type]") {
    CHECK(of_format({{'u', 8}}, {3, -1}).problem == value_problem::none);
    CHECK(of_format({{'u', 8}}, {-1, -1}).problem == value_problem::shape_unknown);
    CHECK(of_numpy("'<u4'", "(-2,)").problem == value_problem::shape_unknown);
}

TEST_CASE("bits that do not fit into 64 bits are no type", "[item_type]") {
    const std::uint64_t half = std::uint64_t{1} << 63;
    CHECK(of_format({{'u', half}, {'u', half}}).problem == value_problem::type_unknown);
    CHECK(of_numpy("[('a', '<u8', (1099511627776, 1099511627776))]").problem == value_problem::type_unknown);
}

TEST_CASE("a numpy code says byte order, kind and size", "[item_type]") {
    const auto field = [](const std::string& code) { return of_numpy('\'' + code + '\'').fields.at(0); };
    CHECK(field(">u4") == element_field{.kind = kind::unsigned_integer, .bits = 32});
    CHECK(field("<i2") == element_field{.kind = kind::signed_integer, .bits = 16, .little_endian = true});
    CHECK(field("<f8") == element_field{.kind = kind::floating_point, .bits = 64, .little_endian = true});
    CHECK(field(">c8") == element_field{.kind = kind::complex, .bits = 64});
    CHECK(field("|b1").kind == kind::boolean);
    CHECK(field("|S10") == element_field{.kind = kind::text, .bits = 80, .little_endian = true});
    CHECK(field(">U3") == element_field{.kind = kind::unicode, .bits = 96});
    CHECK(field("|V5").kind == kind::raw);
    CHECK(field("u4").little_endian);
    for (const char* code :
         {"", "<", "<f", "<f3", "<u16", "|O", "|O8", "<M8[ns]", "|S0", "|S", "<f8 ", "|S99999999999999999999"})
        CHECK(of_numpy('\'' + std::string(code) + '\'').problem == value_problem::type_unknown);
}

TEST_CASE("the fields of a numpy record are listed, nested ones and arrays too", "[item_type]") {
    const item_type type =
        of_numpy("[('a', '>i2'), ('', '|V2'), (('title', 'b'), [('x', '<f4'), ('y', '<f4', (2, 3))])]", "(5,)");
    REQUIRE(type.fields.size() == 4);
    CHECK(type.bits == 16 + 16 + 32 + 6 * 32);
    CHECK(type.fields[0].name == "a");
    CHECK(type.fields[1].kind == kind::raw);
    CHECK(type.fields[2] ==
          element_field{
              .name = "b.x", .kind = kind::floating_point, .bit_offset = 32, .bits = 32, .little_endian = true});
    CHECK(type.fields[3].name == "b.y");
    CHECK(type.fields[3].bit_offset == 64);
    CHECK(type.fields[3].count == 6);
}

TEST_CASE("the compatibility mask swaps the byte order of numpy types", "[item_type]") {
    CHECK(of_numpy("'<f8'", "()", compatibility::swap_endian).fields.at(0).little_endian == false);
    CHECK(of_numpy("'>f8'", "()", compatibility::pyspead).fields.at(0).little_endian == true);
    CHECK(of_numpy("'>f8'", "()", compatibility::shape_bit_1).fields.at(0).little_endian == false);
}

TEST_CASE("a DTYPE that is not empty wins over SHAPE and FORMAT", "[item_type]") {
    const item_type type(descriptor{.id = 1,
                                    .format = {{'u', 8}},
                                    .shape = {9},
                                    .numpy_header = "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3)}"});
    CHECK(type.bits == 16);
    CHECK(type.shape == std::vector<std::int64_t>{2, 3});
    CHECK(type.fortran_order);

    const item_type broken(descriptor{.id = 1, .format = {{'u', 8}}, .numpy_header = "nonsense"});
    CHECK(broken.problem == value_problem::type_unknown);
}

TEST_CASE("a numpy header without a type or a shape is a problem, not a crash", "[item_type]") {
    CHECK(item_type(descriptor{.id = 1, .numpy_header = "{}"}).problem == value_problem::type_unknown);
    CHECK(item_type(descriptor{.id = 1, .numpy_header = "{'descr': '<f8'}"}).problem == value_problem::shape_unknown);
    CHECK(of_numpy("'<f8'", "'x'").problem == value_problem::shape_unknown);
    CHECK(of_numpy("[('a',)]").problem == value_problem::type_unknown);
    CHECK(of_numpy("[]").problem == value_problem::type_unknown);
    CHECK(of_numpy("[('a', '<f4', (0,))]").problem == value_problem::type_unknown);
}

TEST_CASE("a record of more fields than anyone has is no type", "[item_type]") {
    std::string descr = "[";
    for (int i = 0; i < 1100; ++i) descr += "('','u1'),";
    CHECK(of_numpy(descr + "]").problem == value_problem::type_unknown);
    CHECK(of_format(std::vector<format_field>(1025, {'u', 8})).problem == value_problem::type_unknown);
}

TEST_CASE("each problem can be told to a person", "[item_type]") {
    for (const auto each :
         {value_problem::type_unknown, value_problem::shape_unknown, value_problem::too_short,
          value_problem::not_convertible, value_problem::no_such_field, value_problem::index_out_of_range})
        CHECK(describe(each) != describe(value_problem::none));
}
