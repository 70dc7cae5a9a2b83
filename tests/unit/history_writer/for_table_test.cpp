#include "history_writer/pg/for_table.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using history_writer::HistoryTable;
using history_writer::TableFailure;
using history_writer::pg::for_table;
using history_writer::pg::is_of_table;

HistoryTable orders() {
    HistoryTable table;
    table.source_schema = "public";
    table.source_table = "orders";
    return table;
}

pq::Error error(const char* sqlstate, bool lost = false) {
    return pq::Error{
        {.sqlstate = sqlstate, .primary = "no", .detail = "It is so.", .connection_lost = lost}};
}

}  // namespace

TEST_CASE("errors that halt are the table's, and those that pass are not", "[history_writer]") {
    for (const char* const halts :
         {"23514", "P0001", "42P01", "42703", "54000", "22P02", "XX000", "42501"}) {
        CAPTURE(halts);
        CHECK(is_of_table(error(halts)));
        CHECK_FALSE(is_of_table(error(halts, true)));
    }
    for (const char* const passes :
         {"53100", "40P01", "40001", "55P03", "57014", "25006", "08006", "57P01", ""}) {
        CAPTURE(passes);
        CHECK_FALSE(is_of_table(error(passes)));
    }
}

TEST_CASE("a constraint is told to be somebody's", "[history_writer]") {
    const pq::Error refused{
        {.sqlstate = "23514", .primary = "no", .detail = "It is so.", .constraint = "planted"}};
    const auto failure = history_writer::pg::failure_of(orders(), "written", refused);
    CHECK_THAT(failure.hint(), Catch::StartsWith("Constraint \"planted\" is not pgchronicle's."));
    CHECK(history_writer::pg::hint_of(error("23514")).empty());
    const pq::Error hinted{{.sqlstate = "23514", .hint = "So.", .constraint = "planted"}};
    CHECK(history_writer::pg::hint_of(hinted) == "So.");
}

TEST_CASE("a value of another form is told to be a column's other type", "[history_writer]") {
    for (const char* const state : {"08P01", "22P03", "22P02", "42804"}) {
        CAPTURE(state);
        const auto failure = history_writer::pg::failure_of(orders(), "written", error(state));
        CHECK_THAT(failure.hint(), Catch::Contains("another type"));
    }
}

TEST_CASE("what halts is thrown with the name of its table", "[history_writer]") {
    const auto table = orders();
    try {
        for_table(table, "written", [] { throw error("23514"); });
        FAIL("nothing was thrown");
    } catch (const TableFailure& failure) {
        CHECK(failure.name() == "public.orders");
        CHECK(failure.what() == std::string{"no"});
        CHECK(failure.detail() == "It is so. Table \"public.orders\" was being written.");
    }
    CHECK_THROWS_AS(for_table(table, "written", [] { throw error("53100"); }), pq::Error);
    CHECK(for_table(table, "written", [] { return 3; }) == 3);
}
