#include "history_writer/pg/array_params.hpp"

#include "history_writer/row_key.hpp"
#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using namespace pgchronicle::history_writer::pg;
using namespace pgchronicle::test;
using namespace std::string_literals;

std::string text_array(const std::vector<pgoutput::Value>& values) {
    Bytes out;
    for (const auto& value : values) {
        Bytes neutral;
        append_neutral(neutral, value);
        append_text_element(out, neutral);
    }
    end_text_array(out);
    REQUIRE(out.back() == std::byte{0});
    return string_of(out).substr(0, out.size() - 1);
}

}  // namespace

TEST_CASE("a binary array says its type and size before its elements", "[history_writer]") {
    Bytes out{std::byte{1}};  // What stood there is gone.
    begin_binary_array(out, 23, 2);
    append_neutral(out, binary_value("\0\0\0\7"s));
    REQUIRE(string_of(out) == "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7"s);
}

TEST_CASE("a text array quotes every element", "[history_writer]") {
    REQUIRE(text_array({}) == "{}");
    REQUIRE(text_array({text_value("1")}) == "{\"1\"}");
    REQUIRE(text_array({text_value("a,b"), text_value("{}")}) == "{\"a,b\",\"{}\"}");
    REQUIRE(text_array({text_value("say \"x\" \\")}) == "{\"say \\\"x\\\" \\\\\"}");
}

TEST_CASE("NULL, the word and the empty text are three elements", "[history_writer]") {
    REQUIRE(text_array({{}, text_value("NULL"), text_value("")}) == "{NULL,\"NULL\",\"\"}");
}
