// SPDX-License-Identifier: BSD-3-Clause
#include "src/python_literal.hpp"

#include <catch2/catch.hpp>

using verbcast::parse_python_literal;
using kind = verbcast::python_literal::kind;

TEST_CASE("a numpy header is a Python dict with descr, fortran_order and shape", "[python_literal]") {
    const auto header =
        parse_python_literal("{'descr': [('a', '>i2'), ('b', '<c8')], 'fortran_order': False, 'shape': (2,)}");
    REQUIRE(header);
    REQUIRE(header->find("descr"));
    CHECK(header->find("descr")->parts.at(1).parts.at(0).text == "b");
    CHECK(header->find("fortran_order")->is(kind::boolean));
    CHECK(header->find("fortran_order")->integer == 0);
    CHECK(header->find("shape")->parts.at(0).integer == 2);
    CHECK(header->find("order") == nullptr);
}

TEST_CASE("Python 2 wrote strings with a prefix and integers with an L", "[python_literal]") {
    const auto header = parse_python_literal(R"({u'shape': (3L, -2L), b"descr": True, })");
    REQUIRE(header);
    CHECK(header->find("shape")->parts.at(0).integer == 3);
    CHECK(header->find("shape")->parts.at(1).integer == -2);
    CHECK(header->find("descr")->integer == 1);
}

TEST_CASE("escapes in strings are read", "[python_literal]") {
    const auto text = parse_python_literal(R"('it\'s \\ \x41\n')");
    REQUIRE(text);
    CHECK(text->text == "it's \\ A\n");
}

TEST_CASE("what is not one literal from end to end is refused", "[python_literal]") {
    for (const char* source :
         {"",    " ",        "{",   "}",     "(",     "(1",  "(1 2)", "{1}",  "{1:}", "{1 2}", "{1: 2, 3}",
          "'",   "'a",       "'\\", "'\\x4", "'\\q'", "1 2", "x",     "None", "L",    "--1",   "99999999999999999999",
          "(,)", "{'a': 1}}"})
        CHECK_FALSE(parse_python_literal(source));
}

TEST_CASE("a literal that nests deeper or is longer than any header is refused", "[python_literal]") {
    CHECK(parse_python_literal(std::string(10, '(') + std::string(10, ')')));
    CHECK_FALSE(parse_python_literal(std::string(8000, '(') + std::string(8000, ')')));
    CHECK(parse_python_literal('\'' + std::string(10'000, 'x') + '\''));
    CHECK_FALSE(parse_python_literal('\'' + std::string(100'000, 'x') + '\''));
}
