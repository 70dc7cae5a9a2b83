#include "pq/quoting.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace pgchronicle::pq;
using namespace std::string_literals;

TEST_CASE("an identifier is quoted always and its quotes are doubled", "[pq]") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"orders", R"("orders")"},
        {"Orders", R"("Orders")"},
        {"select", R"("select")"},
        {R"(a"b)", R"("a""b")"},
        {R"(")", R"("""")"},
        {R"("")", R"("""""")"},
        {"it's", R"("it's")"},
        {";--", R"(";--")"},
        {"$$", R"("$$")"},
        {R"(a\b)", R"("a\b")"},
        {"a\n\\! id", "\"a\n\\! id\""},
        {"%s{}", R"("%s{}")"},
        {"\u202Etxt", "\"\u202Etxt\""},
        {"\u00A0", "\"\u00A0\""},
        {"\U0010FFFF", "\"\U0010FFFF\""},
        {R"(Quoted_"" . Table")", R"("Quoted_"""" . Table""")"},
    };
    for (const auto& [name, quoted] : cases) CHECK(quote_identifier(name) == quoted);
}

TEST_CASE("a qualified name quotes both parts on their own", "[pq]") {
    REQUIRE(quote_qualified("a.b", "c\"d") == R"("a.b"."c""d")");
}

TEST_CASE("a literal doubles quotes, and says E where it holds a backslash", "[pq]") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "''"},
        {"plain", "'plain'"},
        {"it's", "'it''s'"},
        {"'", "''''"},
        {R"(\)", R"(E'\\')"},
        {R"(\')", R"(E'\\''')"},
        {R"(\'; DROP TABLE x; --)", R"(E'\\''; DROP TABLE x; --')"},
        {"\"", "'\"'"},
        {"line\nbreak", "'line\nbreak'"},
    };
    for (const auto& [value, quoted] : cases) CHECK(quote_literal(value) == quoted);
}

TEST_CASE("what no UTF8 database can hold is refused", "[pq]") {
    const std::vector<std::string> cases{
        "\0"s,
        "a\0b"s,
        "\x80",              // a continuation byte alone
        "\xC3",              // cut short
        "a\xC3\x28",         // continued by something else
        "\xC0\xA7",          // an overlong quote
        "\xE0\x80\xA7",      // the same in three bytes
        "\xED\xA0\x80",      // a surrogate
        "\xF4\x90\x80\x80",  // past U+10FFFF
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xE2\x82",
    };
    for (const std::string& bytes : cases) {
        CHECK_THROWS_AS(quote_identifier(bytes), std::invalid_argument);
        CHECK_THROWS_AS(quote_literal(bytes), std::invalid_argument);
    }
}

TEST_CASE("an empty name is refused and an empty literal is not", "[pq]") {
    CHECK_THROWS_AS(quote_identifier(""), std::invalid_argument);
    CHECK_THROWS_AS(quote_qualified("", "t"), std::invalid_argument);
    CHECK_THROWS_AS(quote_qualified("s", ""), std::invalid_argument);
    CHECK(quote_literal("") == "''");
}

TEST_CASE("a refusal does not repeat the bytes it refuses", "[pq]") {
    try {
        (void)quote_identifier("forged\xFFline");
        FAIL("not refused");
    } catch (const std::invalid_argument& error) {
        CHECK(std::string{error.what()}.find("forged") == std::string::npos);
    }
}
