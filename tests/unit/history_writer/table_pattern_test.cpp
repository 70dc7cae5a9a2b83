#include "history_writer/table_pattern.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using pgchronicle::history_writer::TableFilter;
using pgchronicle::history_writer::TablePattern;

bool matches(const std::string& pattern, const std::string& schema, const std::string& table) {
    const auto parsed = TablePattern::parse(pattern);
    REQUIRE(parsed.has_value());
    return parsed->matches(schema, table);
}

}  // namespace

TEST_CASE("a pattern without wildcards matches one table only", "[history_writer]") {
    REQUIRE(matches("public.orders", "public", "orders"));
    REQUIRE_FALSE(matches("public.orders", "public", "orders2"));
    REQUIRE_FALSE(matches("public.orders", "public", "order"));
    REQUIRE_FALSE(matches("public.orders", "sales", "orders"));
    REQUIRE_FALSE(matches("public.orders", "", ""));
}

TEST_CASE("a pattern's case matters, as in the catalog", "[history_writer]") {
    REQUIRE_FALSE(matches("public.orders", "public", "Orders"));
    REQUIRE(matches("public.Orders", "public", "Orders"));
}

TEST_CASE("a star matches any run of characters, an empty one too", "[history_writer]") {
    REQUIRE(matches("*.*", "public", "orders"));
    REQUIRE(matches("public.*", "public", "orders"));
    REQUIRE(matches("public.order*", "public", "order"));
    REQUIRE(matches("public.*_log_*", "public", "a_log_log_b"));
    REQUIRE(matches("public.a*b*c", "public", "a-bb-b-c"));
    REQUIRE_FALSE(matches("public.a*b*c", "public", "a-bb-b-cd"));
    REQUIRE_FALSE(matches("public.*", "sales", "orders"));
}

TEST_CASE("a question mark matches one character, whatever its bytes", "[history_writer]") {
    REQUIRE(matches("public.part_?", "public", "part_1"));
    REQUIRE(matches("public.gr??e", "public", "größe"));
    REQUIRE_FALSE(matches("public.part_?", "public", "part_"));
    REQUIRE_FALSE(matches("public.part_?", "public", "part_12"));
    REQUIRE(matches("public.*?e", "public", "größe"));
}

TEST_CASE("a wildcard does not reach over the dot", "[history_writer]") {
    REQUIRE_FALSE(matches("pub*s.orders", "public", "s.orders"));
    REQUIRE_FALSE(matches("a*.c", "a", "b.c"));
    REQUIRE(matches("a.b.c", "a", "b.c"));
}

TEST_CASE("a pattern needs a schema, a dot and a table", "[history_writer]") {
    for (const auto* text : {"", ".", "orders", "public.", ".orders", "*"}) {
        CAPTURE(text);
        REQUIRE_FALSE(TablePattern::parse(text).has_value());
    }
}

TEST_CASE("a pattern of many stars does not take for ever", "[history_writer]") {
    std::string pattern = "public.";
    for (int star = 0; star < 30; ++star) pattern += "*a";
    pattern += "b";
    REQUIRE_FALSE(matches(pattern, "public", std::string(63, 'a')));
}

TEST_CASE("a filter takes what is included and not excluded", "[history_writer]") {
    const TableFilter filter{{"operations.*", "sales.orders"}, {"*.tmp_*", "operations.audit"}};
    REQUIRE(filter.selects("operations", "orders"));
    REQUIRE(filter.selects("sales", "orders"));
    REQUIRE_FALSE(filter.selects("sales", "customers"));
    REQUIRE_FALSE(filter.selects("operations", "tmp_1"));
    REQUIRE_FALSE(filter.selects("operations", "audit"));
}

TEST_CASE("a filter without include patterns selects nothing", "[history_writer]") {
    REQUIRE_FALSE(TableFilter({}, {}).selects("public", "orders"));
}

TEST_CASE("a filter refuses a pattern that names no schema", "[history_writer]") {
    REQUIRE_THROWS_AS(TableFilter({"orders"}, {}), std::invalid_argument);
    REQUIRE_THROWS_AS(TableFilter({"*.*"}, {"orders"}), std::invalid_argument);
}
