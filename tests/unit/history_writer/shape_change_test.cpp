#include "history_writer/shape_change.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::history_writer;

source_catalog::Column column(const char* name, std::int16_t number, const char* type = "text") {
    source_catalog::Column column;
    column.name = name;
    column.number = number;
    column.type_sql = type;
    return column;
}

/// Source columns, each kept under its own name.
struct Shape {
    explicit Shape(std::vector<source_catalog::Column> columns) {
        source.columns = std::move(columns);
        for (const auto& c : source.columns) {
            table.kept.push_back(static_cast<std::int32_t>(table.columns.size()));
            table.columns.push_back({c.name, c.name, c.type_sql});
        }
    }
    [[nodiscard]] std::vector<ShapeColumn> recorded() const { return shape_of(source, table); }
    source_catalog::Table source;
    HistoryTable table;
};

ShapeChange compare(const Shape& before, const Shape& now) {
    return compare_shapes(before.recorded(), now.source, now.table);
}

}  // namespace

TEST_CASE("a table without a recorded shape gains nothing", "[history_writer]") {
    const Shape now{{column("a", 1)}};
    REQUIRE(compare_shapes({}, now.source, now.table) == ShapeChange{});
}

TEST_CASE("columns are the same by number, whatever they are called", "[history_writer]") {
    const Shape before{{column("a", 1), column("b", 2)}};
    const auto renamed = compare(before, Shape{{column("a", 1), column("c", 2)}});
    REQUIRE(renamed.renamed == std::vector<ShapeChange::Rename>{{"b", "c"}});
    REQUIRE(renamed.gained.empty());
    REQUIRE(renamed.lost.empty());
    const auto swapped = compare(before, Shape{{column("b", 1), column("a", 2)}});
    REQUIRE(swapped.renamed == std::vector<ShapeChange::Rename>{{"a", "b"}, {"b", "a"}});
}

TEST_CASE("a name that comes back with another number is a new column", "[history_writer]") {
    const Shape before{{column("a", 1), column("b", 2)}};
    const auto change = compare(before, Shape{{column("a", 1), column("b", 3)}});
    REQUIRE(change.gained == std::vector<std::size_t>{1});
    REQUIRE(change.lost == std::vector<std::string>{"b"});
}

TEST_CASE("a gained column may be a later one than the stream shows", "[history_writer]") {
    const Shape before{{column("a", 1), column("b", 2)}};
    const auto later = [&](std::vector<source_catalog::Column> columns, std::int16_t highest) {
        const Shape now{std::move(columns)};
        return may_be_later(compare(before, now), now.source, highest);
    };
    CHECK_FALSE(later({column("a", 1), column("b", 2), column("c", 3), column("d", 4)}, 2));
    CHECK(later({column("a", 1), column("b", 3)}, 2));                        // b was dropped.
    CHECK(later({column("a", 1), column("b", 2), column("c", 4)}, 2));        // c was, or another.
    CHECK_FALSE(later({column("a", 1), column("b", 2), column("c", 4)}, 3));  // It had been seen.
    CHECK_FALSE(later({column("a", 1), column("c", 3)}, 2));
    CHECK_FALSE(later({column("a", 1), column("c", 0)}, 2));
    CHECK_FALSE(later({column("a", 1), column("b", 2), column("c", 4)}, 0));
}

TEST_CASE("where the number is not known the name decides", "[history_writer]") {
    const Shape before{{column("a", 1), column("b", 2)}};
    const auto change = compare(before, Shape{{column("a", 0), column("c", 0)}});
    REQUIRE(change.gained == std::vector<std::size_t>{1});
    REQUIRE(change.lost == std::vector<std::string>{"b"});
    REQUIRE(change.renamed.empty());
}

TEST_CASE("a column that is not excluded any more is new to the history", "[history_writer]") {
    Shape before{{column("a", 1), column("b", 2)}};
    before.table.kept[1] = -1;
    const auto change = compare(before, Shape{{column("a", 1), column("b", 2)}});
    REQUIRE(change.gained == std::vector<std::size_t>{1});
    REQUIRE(change.renamed.empty());
}

TEST_CASE("another type is noticed", "[history_writer]") {
    const Shape before{{column("a", 1, "integer")}};
    const auto change = compare(before, Shape{{column("a", 1, "bigint")}});
    REQUIRE(change.retyped == std::vector<std::size_t>{0});
}

TEST_CASE("a column renamed since has the only number it can have had", "[history_writer]") {
    const Shape before{{column("id", 1), column("v1", 2)}};
    Shape lagging{{column("id", 1), column("v1", 0), column("v2", 0)}};
    lagging.source.last_number = 3;
    infer_numbers(lagging.source, before.recorded());
    REQUIRE(lagging.source.columns[1].number == 2);
    REQUIRE(lagging.source.columns[2].number == 3);
    Shape doubtful{{column("id", 1), column("v1", 2), column("v2", 0)}};
    doubtful.source.last_number = 4;  // v2 was dropped, or is what number 4 is called now.
    infer_numbers(doubtful.source, before.recorded());
    REQUIRE(doubtful.source.columns[2].number == 0);
}

TEST_CASE("renames that the stream has not shown yet are undone", "[history_writer]") {
    const Shape before{{column("id", 1), column("a", 2), column("b", 3)}};
    const auto numbers = [&](std::vector<source_catalog::Column> shown, const ColumnNumbers& now) {
        Shape shape{std::move(shown)};
        undo_later_renames(shape.source, before.recorded(), now);
        std::vector<int> found;
        for (const auto& c : shape.source.columns) found.push_back(c.number);
        return found;
    };
    using Numbers = std::vector<int>;
    // a and b have swapped their names; the stream shows them as they were, then as they are.
    const ColumnNumbers swapped{{"id", 1}, {"b", 2}, {"a", 3}};
    CHECK(numbers({column("id", 1), column("a", 3), column("b", 2)}, swapped) == Numbers{1, 2, 3});
    CHECK(numbers({column("id", 1), column("b", 2), column("a", 3)}, swapped) == Numbers{1, 2, 3});
    // a became old, and b became a.
    const ColumnNumbers moved{{"id", 1}, {"old", 2}, {"a", 3}};
    CHECK(numbers({column("id", 1), column("a", 3), column("b", 0)}, moved) == Numbers{1, 2, 0});
    CHECK(numbers({column("id", 1), column("old", 2), column("a", 3)}, moved) == Numbers{1, 2, 3});
    // a was dropped and added again: where it stands tells which one it is.
    const ColumnNumbers anew{{"id", 1}, {"b", 3}, {"a", 4}};
    CHECK(numbers({column("id", 1), column("a", 4), column("b", 3)}, anew) == Numbers{1, 2, 3});
    CHECK(numbers({column("id", 1), column("b", 3), column("a", 4)}, anew) == Numbers{1, 3, 4});
    CHECK(
        numbers(
            {column("id", 1), column("a", 2), column("b", 4)}, {{"id", 1}, {"a", 2}, {"b", 4}}
        ) == Numbers{1, 2, 4}
    );
}

TEST_CASE("types widen only where every value keeps its text", "[history_writer]") {
    const std::pair<const char*, const char*> wider[] = {
        {"smallint", "integer"},
        {"integer", "bigint"},
        {"smallint", "numeric"},
        {"integer[]", "bigint[]"},
        {"character varying(10)", "character varying(20)"},
        {"character varying(10)", "character varying"},
        {"character varying(10)", "text"},
        {"text", "character varying"},
        {"numeric(10,2)", "numeric(12,2)"},
        {"numeric(10,2)", "numeric"},
        {"timestamp(3) without time zone", "timestamp(6) without time zone"},
        {"bit varying(3)", "bit varying"}};
    for (const auto& [from, to] : wider) {
        INFO(from << " to " << to);
        REQUIRE(widens(from, to));
    }
    const std::pair<const char*, const char*> others[] = {
        {"bigint", "integer"},
        {"integer", "text"},
        {"integer", "bigint[]"},
        {"integer", "numeric(10,2)"},
        {"numeric(10,2)", "numeric(12,3)"},
        {"character(3)", "character(5)"},
        {"real", "double precision"},
        {"text", "character varying(10)"},
        {"timestamp without time zone", "timestamp with time zone"},
        {"date", "timestamp without time zone"}};
    for (const auto& [from, to] : others) {
        INFO(from << " to " << to);
        REQUIRE_FALSE(widens(from, to));
    }
}
