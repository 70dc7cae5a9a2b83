#include "history_writer/pg/key_sql.hpp"

#include "tests/unit/history_writer/rows.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle::history_writer;
using namespace pgchronicle::history_writer::pg;
using namespace pgchronicle::test;

/// A table whose key has columns of these types, a, b and so on.
HistoryTable keyed_by(const std::vector<std::string>& types) {
    auto table = orders_table();
    table.columns.clear();
    table.key.clear();
    for (const auto& type : types) {
        const std::string name(1, static_cast<char>('a' + table.columns.size()));
        table.key.push_back(static_cast<std::uint16_t>(table.columns.size()));
        table.columns.push_back({name, name, type});
    }
    return table;
}

std::string matches(const HistoryTable& table) {
    return key_matches(table, "v.", [](std::size_t i) { return "k.k" + std::to_string(i); });
}

}  // namespace

TEST_CASE("a key is compared column by column, in key order", "[history_writer]") {
    auto table = keyed_by({"integer", "text"});
    REQUIRE(matches(table) == R"(v."a" = k.k0 AND v."b" = k.k1)");
    table.key = {1, 0};
    REQUIRE(matches(table) == R"(v."b" = k.k0 AND v."a" = k.k1)");
}

TEST_CASE("a key that is found by its hash is compared nevertheless", "[history_writer]") {
    auto table = keyed_by({"numeric(10,2)", "text"});
    table.key_hashed = true;
    REQUIRE(
        matches(table) ==
        "pg_catalog.hash_record_extended(ROW(v.\"a\", v.\"b\"), 0) ="
        " pg_catalog.hash_record_extended(ROW(k.k0, k.k1), 0)"
        " AND v.\"a\" = k.k0 AND v.\"b\" = k.k1"
    );
}

TEST_CASE("columns that PostgreSQL cannot hash are left out of the hash", "[history_writer]") {
    for (const std::string type : {"money", "bit(3)", "bit varying", "tsvector", "bit varying[]"}) {
        auto table = keyed_by({type, "text"});
        table.key_hashed = true;
        REQUIRE_THAT(
            matches(table),
            Catch::StartsWith("pg_catalog.hash_record_extended(ROW(v.\"b\"), 0) = ") &&
                Catch::EndsWith(R"( AND v."a" = k.k0 AND v."b" = k.k1)")
        );
    }
    auto table = keyed_by({"bit varying", "tsquery"});
    table.key_hashed = true;
    REQUIRE_THAT(
        matches(table),
        Catch::StartsWith("pgchronicle.row_hash(ROW(v.\"a\", v.\"b\"))"
                          " = pgchronicle.row_hash(ROW(k.k0, k.k1)) AND ")
    );
}

TEST_CASE("the index is on the key, and on its hash where that is refused", "[history_writer]") {
    REQUIRE(
        create_key_index_sql(keyed_by({"text"})) ==
        "DO 'BEGIN CREATE INDEX IF NOT EXISTS \"orders_history_key\" ON"
        " \"analytics\".\"orders_history\" (\"a\", \"lsn_from\", \"change_seq\");"
        " EXCEPTION WHEN program_limit_exceeded THEN"
        " CREATE INDEX IF NOT EXISTS \"orders_history_key\" ON \"analytics\".\"orders_history\""
        " (pg_catalog.hash_record_extended(ROW(\"a\"), 0), \"lsn_from\", \"change_seq\"); END'"
    );
}

TEST_CASE("the index of hashes takes the other's place and name", "[history_writer]") {
    REQUIRE(
        hash_key_index_sql(keyed_by({"text"})) ==
        "CREATE INDEX \"orders_history_key_hash\" ON \"analytics\".\"orders_history\""
        " (pg_catalog.hash_record_extended(ROW(\"a\"), 0), \"lsn_from\", \"change_seq\");"
        " DROP INDEX IF EXISTS \"analytics\".\"orders_history_key\";"
        " ALTER INDEX \"analytics\".\"orders_history_key_hash\" RENAME TO \"orders_history_key\""
    );
    auto table = keyed_by({"text"});
    table.target_table = std::string(63, 'x');
    const auto sql = hash_key_index_sql(table);
    REQUIRE(key_index_name(table).size() == 63);
    REQUIRE(sql.find("CREATE INDEX \"" + key_index_name(table)) == std::string::npos);
}
