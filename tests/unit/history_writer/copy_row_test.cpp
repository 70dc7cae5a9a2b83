#include "history_writer/copy_row.hpp"

#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using namespace pgchronicle::test;
using namespace std::string_literals;

std::string field(const pgoutput::Value& value, WireForm form) {
    Bytes out;
    append_field(out, value, form);
    return string_of(out);
}

}  // namespace

TEST_CASE("a text field is escaped and ends with a tab", "[history_writer]") {
    REQUIRE(field(text_value("plain"), WireForm::text) == "plain\t");
    REQUIRE(field(text_value(""), WireForm::text) == "\t");
    REQUIRE(field(text_value("a\tb\nc\rd\\e"), WireForm::text) == "a\\tb\\nc\\rd\\\\e\t");
    REQUIRE(field(text_value("\\N"), WireForm::text) == "\\\\N\t");
    REQUIRE(field(text_value("\\."), WireForm::text) == "\\\\.\t");
    REQUIRE(field(text_value("größe\x01"), WireForm::text) == "größe\x01\t");
}

TEST_CASE("a NULL is not an empty text", "[history_writer]") {
    REQUIRE(field({}, WireForm::text) == "\\N\t");
    REQUIRE(field({}, WireForm::binary) == "\xff\xff\xff\xff");
}

TEST_CASE("a binary field is a length and the bytes as they came", "[history_writer]") {
    REQUIRE(field(binary_value("a\tb\\"s), WireForm::binary) == "\0\0\0\4a\tb\\"s);
    REQUIRE(field(binary_value(""), WireForm::binary) == "\0\0\0\0"s);
    const std::string large(70'000, 'x');
    REQUIRE(field(binary_value(large), WireForm::binary) == "\0\1\x11\x70"s + large);
}

TEST_CASE("a field of a row is found by its number, in either form", "[history_writer]") {
    const std::string values[] = {"", "tab\there", "a\\", std::string(300, 'x'), "last"};
    for (const auto form : {WireForm::text, WireForm::binary}) {
        Bytes row;
        std::vector<std::string> fields;
        for (const auto& value : values) {
            append_field(row, text_value(value), form);
            fields.push_back(field(text_value(value), form));
            append_null_field(row, form);
            fields.push_back(field({}, form));
        }
        for (std::size_t i = 0; i < fields.size(); ++i) {
            CAPTURE(i);
            REQUIRE(string_of(field_of(row, i, form)) == fields[i]);
        }
    }
}
