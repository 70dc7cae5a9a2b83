#include "history_writer/row_key.hpp"

#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using namespace pgchronicle::test;
using namespace std::string_literals;

Bytes canonical(const pgoutput::Value& value, KeyEquality equality) {
    Bytes out;
    append_canonical(out, value, equality);
    return out;
}

bool equal_text(const char* a, const char* b, KeyEquality equality) {
    return canonical(text_value(a), equality) == canonical(text_value(b), equality);
}

bool equal_binary(const std::string& a, const std::string& b, KeyEquality equality) {
    return canonical(binary_value(a), equality) == canonical(binary_value(b), equality);
}

/// numeric_send: count of digits, weight, sign, display scale, digits to the base 10,000.
std::string numeric(
    std::int16_t weight,
    bool negative,
    std::int16_t scale,
    const std::vector<std::int16_t>& digits
) {
    Bytes out;
    append_int16(out, static_cast<std::int16_t>(digits.size()));
    append_int16(out, weight);
    append_int16(out, negative ? 0x4000 : 0);
    append_int16(out, scale);
    for (const auto digit : digits) append_int16(out, digit);
    return string_of(out);
}

}  // namespace

TEST_CASE("the neutral form is a length and the bytes, or -1 for NULL", "[history_writer]") {
    Bytes out;
    append_neutral(out, text_value("ab"));
    append_neutral(out, {});
    append_neutral(out, text_value(""));
    REQUIRE(string_of(out) == "\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0"s);
}

TEST_CASE("a numeric key's scale does not count in its text form", "[history_writer]") {
    const auto numeric = KeyEquality::numeric;
    REQUIRE(equal_text("1.0", "1.00", numeric));
    REQUIRE(equal_text("1", "1.00", numeric));
    REQUIRE(equal_text("-1.50", "-1.5", numeric));
    REQUIRE(equal_text("0", "0.000", numeric));
    REQUIRE(equal_text("NaN", "NaN", numeric));
    REQUIRE_FALSE(equal_text("1", "10", numeric));
    REQUIRE_FALSE(equal_text("100", "1", numeric));
    REQUIRE_FALSE(equal_text("1.0", "1.01", numeric));
    REQUIRE_FALSE(equal_text("1", "-1", numeric));
}

TEST_CASE("a numeric key's scale does not count in its binary form", "[history_writer]") {
    const auto equality = KeyEquality::numeric;
    REQUIRE(equal_binary(numeric(0, false, 1, {1}), numeric(0, false, 2, {1}), equality));
    REQUIRE(equal_binary(numeric(0, false, 0, {}), numeric(0, false, 3, {}), equality));
    REQUIRE_FALSE(equal_binary(numeric(0, false, 1, {1}), numeric(0, true, 1, {1}), equality));
    REQUIRE_FALSE(equal_binary(numeric(0, false, 0, {1}), numeric(1, false, 0, {1}), equality));
    REQUIRE_FALSE(equal_binary(numeric(0, false, 1, {1}), numeric(0, false, 1, {2}), equality));
}

TEST_CASE("zero has no sign in a floating key", "[history_writer]") {
    const auto floating = KeyEquality::floating;
    REQUIRE(equal_text("-0", "0", floating));
    REQUIRE_FALSE(equal_text("-1", "1", floating));
    REQUIRE(equal_binary("\x80\0\0\0"s, "\0\0\0\0"s, floating));
    REQUIRE(equal_binary("\x80\0\0\0\0\0\0\0"s, "\0\0\0\0\0\0\0\0"s, floating));
    REQUIRE_FALSE(equal_binary("\xbf\x80\0\0"s, "\x3f\x80\0\0"s, floating));
    // The smallest negative number is not zero.
    REQUIRE_FALSE(equal_binary("\x80\0\0\1"s, "\0\0\0\1"s, floating));
}

TEST_CASE("blanks at the end of a char(n) key do not count", "[history_writer]") {
    const auto padded = KeyEquality::blank_padded;
    REQUIRE(equal_text("ab", "ab   ", padded));
    REQUIRE(equal_text("", "   ", padded));
    REQUIRE_FALSE(equal_text("ab", " ab", padded));
    REQUIRE_FALSE(equal_text("a b", "ab", padded));
    REQUIRE_FALSE(equal_text("ab", "ab ", KeyEquality::bytes));
}

TEST_CASE("NULL is no empty key, whatever the type", "[history_writer]") {
    for (const auto equality :
         {KeyEquality::bytes,
          KeyEquality::numeric,
          KeyEquality::floating,
          KeyEquality::blank_padded}) {
        REQUIRE(canonical({}, equality) != canonical(text_value(""), equality));
    }
    REQUIRE(
        canonical({}, KeyEquality::blank_padded) !=
        canonical(text_value("  "), KeyEquality::blank_padded)
    );
}
