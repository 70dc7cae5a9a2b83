#include "reading/output.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::reading;

namespace {

constexpr std::uint32_t boolean = 16;
constexpr std::uint32_t int4 = 23;
constexpr std::uint32_t text = 25;
constexpr std::uint32_t json = 114;
constexpr std::uint32_t float8 = 701;
constexpr std::uint32_t date = 1082;
constexpr std::uint32_t numeric = 1700;
constexpr std::uint32_t jsonb = 3802;

std::string as_json(std::uint32_t type, std::optional<std::string_view> value) {
    std::string out;
    append_json_value(out, type, value);
    return out;
}

std::string as_csv(std::optional<std::string_view> value) {
    std::string out;
    append_csv_field(out, value);
    return out;
}

std::string as_json_string(std::string_view value) {
    std::string out;
    append_json_string(out, value);
    return out;
}

}  // namespace

TEST_CASE("a JSON value is bare where JSON has such a type", "[reading]") {
    CHECK(as_json(int4, "-7") == "-7");
    CHECK(as_json(numeric, "12345678901234567890.10") == "12345678901234567890.10");
    CHECK(as_json(float8, "1e+20") == "1e+20");
    CHECK(as_json(boolean, "t") == "true");
    CHECK(as_json(boolean, "f") == "false");
    CHECK(as_json(jsonb, R"({"a": [1]})") == R"({"a": [1]})");
    CHECK(as_json(text, "7") == R"("7")");
    CHECK(as_json(date, "2026-11-21") == R"("2026-11-21")");
    for (const auto type : {boolean, int4, text, json, jsonb, date}) {
        CHECK(as_json(type, std::nullopt) == "null");
    }
}

TEST_CASE("numbers that JSON does not know are strings", "[reading]") {
    for (const char* value : {"NaN", "Infinity", "-Infinity"}) {
        CHECK(as_json(float8, value) == '"' + std::string{value} + '"');
        CHECK(as_json(numeric, value) == '"' + std::string{value} + '"');
    }
}

TEST_CASE("json keeps its blanks but stays on one line", "[reading]") {
    CHECK(as_json(json, "{\r\n \"a\\n\":1\n}") == "{   \"a\\n\":1 }");
}

TEST_CASE("a JSON string escapes what must be, and nothing else", "[reading]") {
    CHECK(as_json_string("a\"b\\c") == R"("a\"b\\c")");
    CHECK(as_json_string("\n\r\t\x01\x1F\x7F") == R"("\n\r\t\u0001\u001f\u007f")");
    CHECK(as_json_string("é€😀") == "\"é€😀\"");
    CHECK(as_json_string("") == "\"\"");
}

TEST_CASE("bytes that are not UTF-8 become the replacement character", "[reading]") {
    // Alone, cut, overlong, a surrogate, beyond the last code point.
    CHECK(as_json_string("a\xFFz") == R"("a\ufffdz")");
    CHECK(as_json_string("\xC3") == R"("\ufffd")");
    CHECK(as_json_string("\xE2\x82") == R"("\ufffd\ufffd")");
    CHECK(as_json_string("\xC0\xAF") == R"("\ufffd\ufffd")");
    CHECK(as_json_string("\xED\xA0\x80") == R"("\ufffd\ufffd\ufffd")");
    CHECK(as_json_string("\xF4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");
}

TEST_CASE("a CSV field has quotes only where it needs them", "[reading]") {
    CHECK(as_csv(std::nullopt).empty());
    CHECK(as_csv("") == "\"\"");
    CHECK(as_csv("plain text") == "plain text");
    CHECK(as_csv("a,b") == "\"a,b\"");
    CHECK(as_csv("say \"no\"") == "\"say \"\"no\"\"\"");
    CHECK(as_csv("two\nlines") == "\"two\nlines\"");
    CHECK(as_csv("two\rlines") == "\"two\rlines\"");
}

TEST_CASE("rows as a whole", "[reading]") {
    const Rows rows{
        .columns = {{"id", "", int4}, {"a,b", "", text}},
        .rows = {{"1", "x"}, {"2", std::nullopt}}};
    CHECK(to_json(rows) == R"([{"id":1,"a,b":"x"},{"id":2,"a,b":null}])");
    CHECK(to_csv(rows) == "id,\"a,b\"\r\n1,x\r\n2,\r\n");
    const Rows none{.columns = rows.columns, .rows = {}};
    CHECK(to_json(none) == "[]");
    CHECK(to_csv(none) == "id,\"a,b\"\r\n");
}

TEST_CASE("formats have names", "[reading]") {
    CHECK(parse_format("table") == Format::table);
    CHECK(parse_format("csv") == Format::csv);
    CHECK(parse_format("json") == Format::json);
    CHECK_FALSE(parse_format("JSON").has_value());
    CHECK_FALSE(parse_format("").has_value());
}
