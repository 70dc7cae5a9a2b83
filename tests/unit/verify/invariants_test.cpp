#include "verify/invariants.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <set>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::verify;
using Catch::Contains;

CheckedHistory history() {
    CheckedHistory history;
    history.relation = R"("analytics"."orders_history")";
    history.columns = {"id", "note"};
    history.key = {"id"};
    history.pipeline = "fin'ance {{history}}";
    return history;
}

const Check& check(const std::string& name) {
    for (const auto& one : all_checks()) {
        if (one.name == name) return one;
    }
    throw std::runtime_error{"no check " + name};
}

}  // namespace

TEST_CASE("every file of sql/checks is run, but for the one that needs a fate", "[verify]") {
    std::set<std::string> files;
    for (const auto& entry :
         std::filesystem::directory_iterator{PGCHRONICLE_SOURCE_DIR "/sql/checks"}) {
        if (entry.path().extension() == ".sql") files.insert(entry.path().stem());
    }
    files.erase("v10_nothing_aborted");
    std::set<std::string> run;
    for (const auto& one : all_checks()) run.insert(one.name);
    REQUIRE(run == files);
}

TEST_CASE("a check by key is marked so, and every one says what its rows are", "[verify]") {
    for (const auto& one : all_checks()) {
        const std::string sql = one.sql;
        REQUIRE(one.by_key == (sql.find("{{key_columns}}") != std::string::npos));
        REQUIRE(says(one).size() > 10);
        REQUIRE_THAT(says(one), !Contains("select") && !Contains("--"));
    }
}

TEST_CASE("placeholders are filled once, whatever stands in a name", "[verify]") {
    const auto sql = check_sql(check("v07_not_beyond_checkpoint"), history());
    REQUIRE_THAT(sql, Contains("pipeline = 'fin''ance {{history}}'"));
    REQUIRE_THAT(sql, Contains(R"(FROM "analytics"."orders_history" t) as history)"));
}

TEST_CASE("a check knows our columns by their usual names", "[verify]") {
    auto renamed = history();
    renamed.names.lsn_from = "begins";
    REQUIRE_THAT(
        check_sql(check("v06_no_duplicate"), renamed),
        Contains(R"(t."id" AS key_0)") && Contains(R"(t."begins" AS lsn_from)") &&
            Contains("group by key_0, lsn_from, change_seq")
    );
}

TEST_CASE("a check that gaps may excuse says between which positions", "[verify]") {
    for (const auto& one : all_checks()) {
        const std::string sql = one.sql;
        REQUIRE(one.across_gaps == (sql.find("previous_from") != std::string::npos));
    }
}

TEST_CASE("a row without a key is shown by its text", "[verify]") {
    auto keyless = history();
    keyless.key.clear();
    REQUIRE_THAT(
        check_sql(check("tombstone_shape"), keyless),
        Contains(R"(pg_catalog.left(ROW(t."id", t."note")::text, 500) AS key_0)")
    );
}

TEST_CASE("values and their place are there for the check that compares them", "[verify]") {
    auto one = history();
    one.lasting_columns = {"note", "size"};
    REQUIRE_THAT(
        check_sql(check("v04_tombstone_values"), one),
        Contains(R"(ARRAY[t."note"::text COLLATE "C", t."size"::text COLLATE "C"]::text[])") &&
            Contains("t.ctid AS ctid") && Contains("row_values as row_values")
    );
    REQUIRE_THAT(check_sql(check("v03_is_current"), one), !Contains("row_values"));
}

TEST_CASE("where it is not known how rows begin, no version is late enough to tell", "[verify]") {
    auto one = history();
    const auto& tombstones = check("v04_tombstone_alone");
    REQUIRE_THAT(check_sql(tombstones, one), Contains("> 'FFFFFFFF/FFFFFFFF'::pg_lsn"));
    one.complete_from = pgoutput::Lsn{16};
    REQUIRE_THAT(check_sql(tombstones, one), Contains("> '0/10'::pg_lsn"));
}
