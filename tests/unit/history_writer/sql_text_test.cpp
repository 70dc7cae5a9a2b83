#include "history_writer/pg/sql_text.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/stage_sql.hpp"
#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::history_writer;
using namespace pgchronicle::history_writer::pg;
using namespace pgchronicle::test;
using Catch::Contains;

/// A table whose every name wants to be SQL.
HistoryTable hostile_table() {
    auto table = orders_table();
    table.target_schema = "s\"; DROP SCHEMA x; --";
    table.target_table = "t'\"_history";
    table.base_name = "t'\"";
    table.columns[0].name = "i\"d";
    table.columns[1].name = "select";
    table.columns[2].name = "it's";
    table.names.valid_from = "from\"";
    table.names.valid_to = "to'";
    table.names.lsn_from = "order";
    return table;
}

/// Has the most columns that a history has room for.
HistoryTable widest_table() {
    auto table = orders_table();
    while (table.columns.size() < 1593) {
        auto column = table.columns[1];
        column.name = "c" + std::to_string(table.columns.size());
        table.columns.push_back(std::move(column));
    }
    return table;
}

HistoryTable whole_row_table() {
    auto table = orders_table();
    table.keyed = false;
    table.key.clear();
    return table;
}

/// The text without what stands in quotes of either kind; a quote that is doubled stays inside.
std::string outside_quotes(const std::string& sql) {
    std::string out;
    char quote = '\0';
    for (std::size_t i = 0; i < sql.size(); ++i) {
        if (quote == '\0') {
            if (sql[i] == '"' || sql[i] == '\'') {
                quote = sql[i];
            } else {
                out += sql[i];
            }
        } else if (sql[i] == quote) {
            if (i + 1 < sql.size() && sql[i + 1] == quote) {
                ++i;
            } else {
                quote = '\0';
            }
        }
    }
    REQUIRE(quote == '\0');
    return out;
}

std::vector<std::string> every_statement(const HistoryTable& table) {
    const auto stage = stage_name(3);
    std::vector<std::string> all{
        create_table_sql(table),
        create_index_sql(table),
        copy_sql(table, WireForm::binary),
        create_stage_sql(table, stage),
        copy_stage_sql(table, stage, WireForm::text),
        insert_unseen_sql(table, stage),
        end_versions_sql(table, Operation::truncate)};
    for (auto& sql : create_readers_sql(table)) all.push_back(std::move(sql));
    if (!table.keyed) {
        all.push_back(close_staged_sql(table, stage));
        return all;
    }
    all.push_back(close_sql(table, {"integer"}));
    all.push_back(doubled_keys_sql(table, {"integer"}));
    all.push_back(missing_keys_sql(table, {"integer"}));
    all.push_back(fill_sql(table, stage));
    all.push_back(unchanged_sql(table, stage));
    all.push_back(pending_sql(table, stage));
    all.push_back(hash_key_index_sql(table));
    auto hashed = table;
    hashed.key_hashed = true;
    all.push_back(close_sql(hashed, {"integer"}));
    return all;
}

}  // namespace

TEST_CASE("a history table has the source's columns and ours", "[history_writer]") {
    REQUIRE(
        create_table_sql(orders_table()) ==
        "CREATE TABLE \"analytics\".\"orders_history\" (\"id\" integer, \"status\" text,"
        " \"note\" text, \"valid_from\" timestamptz NOT NULL, \"valid_to\" timestamptz,"
        " \"is_current\" boolean NOT NULL, \"operation_type\" text NOT NULL,"
        " \"lsn_from\" pg_lsn NOT NULL, \"lsn_to\" pg_lsn, \"change_seq\" bigint NOT NULL)"
        " WITH (fillfactor = 85)"
    );
}

TEST_CASE("the index leads with the key, or with the hash of the row", "[history_writer]") {
    REQUIRE_THAT(
        create_index_sql(orders_table()), Contains("(\"id\", \"lsn_from\", \"change_seq\")")
    );
    REQUIRE_THAT(
        create_index_sql(whole_row_table()),
        Contains("(pgchronicle.row_hash(ROW(\"id\", \"status\", \"note\")), \"lsn_from\"")
    );
}

TEST_CASE("the hash of a row looks at as many columns as an index can name", "[history_writer]") {
    auto table = widest_table();
    table.keyed = false;
    table.key.clear();
    REQUIRE_THAT(
        create_index_sql(table), Contains("\"c254\", \"c255\")), ") && !Contains("\"c256\"")
    );
    REQUIRE_THAT(
        close_staged_sql(table, "pg_temp.s"),
        Contains("v.\"c255\")) = ") && Contains("s.\"c255\")) AND ROW(") &&
            Contains("s.\"c1592\")::text AND")
    );
}

TEST_CASE("rows are staged in two tables where one has no room", "[history_writer]") {
    auto table = widest_table();
    const std::string stage = "pg_temp.s";
    const std::string joined =
        " FROM (SELECT * FROM pg_temp.s JOIN pg_temp.s_rest USING"
        " (pgchronicle_row)) s";
    REQUIRE(stage_is_split(table));
    REQUIRE_THAT(
        create_stage_sql(table, stage),
        Contains("\"c1592\" FROM ") &&
            Contains("; ALTER TABLE pg_temp.s ADD pgchronicle_row integer;") &&
            Contains("CREATE TEMP TABLE s_rest ON COMMIT DELETE ROWS AS SELECT \"valid_from\"")
    );
    REQUIRE_THAT(
        copy_stage_sql(table, stage, WireForm::text),
        Catch::EndsWith("\"c1592\", pgchronicle_row) FROM STDIN (FORMAT text)")
    );
    REQUIRE_THAT(
        copy_rest_sql(table, stage, WireForm::binary),
        Catch::StartsWith("COPY pg_temp.s_rest (\"valid_from\"") &&
            Contains(", \"change_seq\", pgchronicle_unknown, pgchronicle_nth, pgchronicle_base_0, "
                     "pgchronicle_row) FROM")
    );
    REQUIRE(empty_stage_sql(table, stage) == "DELETE FROM pg_temp.s; DELETE FROM pg_temp.s_rest");
    REQUIRE_THAT(fill_sql(table, stage), Contains(joined));
    REQUIRE_THAT(unchanged_sql(table, stage), Contains(joined));
    REQUIRE_THAT(pending_sql(table, stage), Contains(joined));
    REQUIRE_THAT(insert_unseen_sql(table, stage), Contains(joined));
    // 1,590 columns, ours, the bitmap, the number and one of the key: 1,600.
    table.columns.resize(1590);
    REQUIRE_FALSE(stage_is_split(table));
    REQUIRE(empty_stage_sql(table, stage) == "DELETE FROM pg_temp.s");
    REQUIRE_THAT(fill_sql(table, stage), Contains(" FROM pg_temp.s s "));
    table.key = {0, 1};
    REQUIRE(stage_is_split(table));
}

TEST_CASE("COPY lists every column and names its form", "[history_writer]") {
    REQUIRE(
        copy_sql(orders_table(), WireForm::binary) ==
        "COPY \"analytics\".\"orders_history\" (\"id\", \"status\", \"note\", \"valid_from\","
        " \"valid_to\", \"is_current\", \"operation_type\", \"lsn_from\", \"lsn_to\","
        " \"change_seq\") FROM STDIN (FORMAT binary)"
    );
    REQUIRE_THAT(copy_sql(orders_table(), WireForm::text), Catch::EndsWith("(FORMAT text)"));
}

TEST_CASE("a close takes its keys as arrays and looks at the newest versions", "[history_writer]") {
    auto table = orders_table();
    table.key = {1, 0};
    const auto sql = close_sql(table, {"text", "integer"});
    REQUIRE_THAT(
        sql,
        Contains("unnest($1::text[], $2::integer[], $3::timestamptz[], $4::pg_lsn[])"
                 " AS k(k0, k1, ended_at, ended_lsn)") &&
            Contains("v.\"status\" = k.k0 AND v.\"id\" = k.k1"
                     " ORDER BY v.\"lsn_from\" DESC, v.\"change_seq\" DESC LIMIT 2")
    );
}

TEST_CASE("a row whose base must exist is not filled from nothing", "[history_writer]") {
    auto table = orders_table();
    REQUIRE_THAT(
        fill_sql(table, "pg_temp.s"),
        Contains(" WHERE s.pgchronicle_nth < 0 OR b.\"lsn_from\" IS NOT NULL")
    );
    table.below_seam = true;
    REQUIRE_THAT(fill_sql(table, "pg_temp.s"), Contains(" LEFT JOIN LATERAL "));
    table.below_seam = false;
    table.on_unknown_key = pgchronicle::config::OnUnknownKey::open;
    REQUIRE_THAT(fill_sql(table, "pg_temp.s"), Contains(" LEFT JOIN LATERAL "));
}

TEST_CASE("beside each table stand a view and two functions", "[history_writer]") {
    const auto readers = create_readers_sql(orders_table());
    REQUIRE(readers.size() == 3);
    REQUIRE_THAT(readers[0], Contains("VIEW \"analytics\".\"orders_current\""));
    REQUIRE_THAT(readers[1], Contains("FUNCTION \"analytics\".\"orders_as_of\"(timestamptz)"));
    REQUIRE_THAT(readers[2], Contains("FUNCTION \"analytics\".\"orders_as_of_lsn\"(pg_lsn)"));
    for (const auto& reader : {readers[1], readers[2]}) {
        REQUIRE_THAT(reader, Contains(" STABLE PARALLEL SAFE "));
    }
}

TEST_CASE("hostile names stay inside of their quotes in every statement", "[history_writer]") {
    const auto plain = every_statement(orders_table());
    const auto hostile = every_statement(hostile_table());
    REQUIRE(plain.size() == hostile.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
        CAPTURE(hostile[i]);
        // Names differ in nothing that the server reads as SQL.
        REQUIRE(outside_quotes(hostile[i]) == outside_quotes(plain[i]));
    }
}

TEST_CASE("hostile names stay quoted for tables without a key", "[history_writer]") {
    auto hostile = hostile_table();
    hostile.keyed = false;
    hostile.key.clear();
    const auto plain = every_statement(whole_row_table());
    const auto statements = every_statement(hostile);
    REQUIRE(plain.size() == statements.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
        CAPTURE(statements[i]);
        REQUIRE(outside_quotes(statements[i]) == outside_quotes(plain[i]));
    }
}

TEST_CASE("our columns go by the names of the configuration", "[history_writer]") {
    auto table = orders_table();
    table.names.valid_from = "begins";
    table.names.change_seq = "seq";
    for (const auto& sql : every_statement(table)) {
        CAPTURE(sql);
        REQUIRE_THAT(sql, !Contains("valid_from") && !Contains("\"change_seq\""));
    }
}

TEST_CASE("a table without columns has a valid statement for what it needs", "[history_writer]") {
    auto table = whole_row_table();
    table.columns.clear();
    table.kept.clear();
    REQUIRE_THAT(create_table_sql(table), Contains("(\"valid_from\" timestamptz"));
    REQUIRE_THAT(column_list(table), Catch::StartsWith("\"valid_from\""));
    REQUIRE_THAT(end_versions_sql(table, Operation::truncate), Contains("SELECT $1::timestamptz"));
}
