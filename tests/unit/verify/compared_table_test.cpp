#include "verify/compared_table.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::verify;
using Catch::Contains;
using Names = std::vector<std::string>;

source_catalog::Table orders() {
    source_catalog::Table table;
    table.schema_name = "shop";
    table.name = "orders";
    table.primary_key = {"id"};
    for (const char* name : {"id", "note", "total"}) {
        auto& column = table.columns.emplace_back();
        column.name = name;
        column.number = static_cast<std::int16_t>(table.columns.size());
        column.type = pgoutput::TypeOid{25};
        column.type_sql = "text";
    }
    return table;
}

HistoryFacts history() {
    HistoryFacts facts;
    facts.schema = "analytics";
    facts.table = "orders_history";
    facts.columns = {
        "id",
        "note",
        "total",
        "valid_from",
        "valid_to",
        "is_current",
        "operation_type",
        "lsn_from",
        "lsn_to",
        "change_seq"};
    facts.row_key = {"id"};
    facts.shape = {
        {"id", 1, "text", "id"}, {"note", 2, "text", "note"}, {"total", 3, "text", "total"}};
    return facts;
}

CompareAt at() {
    CompareAt at;
    at.lsn = pgoutput::Lsn{0x1B0};
    return at;
}

ComparedTable plan(
    const source_catalog::Table& table,
    const HistoryFacts& facts,
    const config::Settings& settings = {}
) {
    return plan_comparison(table, history_writer::plan_history_table(table, settings), facts, at());
}

}  // namespace

TEST_CASE("the history is read as of the LSN", "[verify]") {
    const auto table = plan(orders(), history());
    REQUIRE(table.trouble.empty());
    REQUIRE(table.columns == Names{"id", "note", "total"});
    REQUIRE(table.key == Names{"id"});
    REQUIRE_THAT(table.history.where, Contains(R"(t."lsn_from" <= '0/1B0'::pg_lsn)"));
    REQUIRE_THAT(table.history.where, Contains(R"(t."lsn_to" > '0/1B0'::pg_lsn)"));
}

TEST_CASE("a column is the same one by its number, on whichever side it was renamed", "[verify]") {
    auto source = orders();
    source.columns[1].name = "remark";
    const auto table = plan(source, history());
    REQUIRE(table.source.columns[1] == R"(t."remark")");
    REQUIRE(table.history.columns[1] == R"(t."note")");
    REQUIRE(table.left_out.empty());
}

TEST_CASE("a column that the history does not know yet is left out, and said", "[verify]") {
    auto facts = history();
    facts.columns.erase("total");
    facts.shape.pop_back();
    const auto table = plan(orders(), facts);
    REQUIRE(table.trouble.empty());
    REQUIRE(table.columns == Names{"id", "note"});
    REQUIRE(table.left_out.size() == 1);
    REQUIRE(table.left_out[0].name == "total");
}

TEST_CASE("a column that the history has lost is no small matter", "[verify]") {
    auto facts = history();
    facts.columns.erase("total");
    REQUIRE_THAT(plan(orders(), facts).trouble, Contains("has lost column \"total\""));
}

TEST_CASE("a history that has lost a column of ours cannot be compared", "[verify]") {
    auto facts = history();
    facts.columns.erase("lsn_to");
    REQUIRE(plan(orders(), facts).trouble == "its history has lost column \"lsn_to\"");
}

TEST_CASE("whether a key was ever seen is asked where it matters, and has one", "[verify]") {
    auto past = at();
    past.tells_past = true;
    const auto ever = [&](const source_catalog::Table& table, const HistoryFacts& facts) {
        const auto planned = history_writer::plan_history_table(table, {});
        return plan_comparison(table, planned, facts, past).history.ever;
    };
    REQUIRE(plan(orders(), history()).history.ever.empty());
    REQUIRE(ever(orders(), history()) == R"(t."lsn_from" <= '0/1B0'::pg_lsn)");
    auto keyless = orders();
    keyless.primary_key.clear();
    auto facts = history();
    facts.row_key.clear();
    REQUIRE(ever(keyless, facts).empty());
}

TEST_CASE("excluded columns are not compared, untracked ones are named", "[verify]") {
    config::Settings settings;
    auto& override = settings.tables.overrides["shop.orders"];
    override.exclude_columns = {"note"};
    override.track = std::vector<std::string>{"id"};
    const auto table = plan(orders(), history(), settings);
    REQUIRE(table.columns == Names{"id"});
    REQUIRE(table.left_out.size() == 1);
    REQUIRE(table.left_out[0].name == "total");
}

TEST_CASE("another row key than the history's is said", "[verify]") {
    auto facts = history();
    facts.row_key = {"note"};
    REQUIRE(plan(orders(), facts).trouble == "its row key has changed");
}

TEST_CASE("a history whose table is gone stands against nothing", "[verify]") {
    const auto table = plan_leftover(history(), at());
    REQUIRE(
        table.source.from ==
        "(SELECT NULL::text AS \"id\", NULL::text AS \"note\","
        " NULL::text AS \"total\" WHERE false)"
    );
    REQUIRE(table.source.columns == table.history.columns);
    REQUIRE(table.columns == Names{"id", "note", "total"});
    REQUIRE(table.history.key == Names{R"(t."id")"});
}
