#include "pq/array_text.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pgchronicle::pq;

TEST_CASE("any list of texts comes back from its array form", "[pq]") {
    const std::vector<std::vector<std::string>> cases{
        {},
        {""},
        {"a"},
        {"a", "b"},
        {"a,b", "{c}", "\"", "\\", "NULL", " x ", "it's", "\n"},
        {"", ""},
    };
    for (const auto& items : cases) CHECK(parse_array_text(array_text(items)) == items);
}

TEST_CASE("every element of an array is quoted", "[pq]") {
    using Items = std::vector<std::string>;
    CHECK(array_text({}) == "{}");
    CHECK(array_text(Items{"id", "a b"}) == "{\"id\",\"a b\"}");
    CHECK(array_text(Items{"", "NULL"}) == "{\"\",\"NULL\"}");
    CHECK(array_text(Items{"\"x\"", "\\", "a,b}"}) == R"({"\"x\"","\\","a,b}"})");
}

TEST_CASE("arrays are read as the server prints them", "[pq]") {
    using Items = std::vector<std::string>;
    CHECK(parse_array_text("{a,b c,\"d,e\",\"f\\\"g\"}") == Items{"a", "b c", "d,e", "f\"g"});
    CHECK(parse_array_text("{}").empty());
    CHECK(parse_array_text("").empty());
}

TEST_CASE("text that is no array gives something and never fails", "[pq]") {
    for (const char* text : {"{", "}", "{\"", "{\\", "{\\}", "{a\\", "{\"a,b}", ",,,"}) {
        CHECK_NOTHROW(parse_array_text(text));
    }
}
