#include "replicator/preflight.hpp"
#include "tests/unit/replicator/good_facts.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle;
using namespace pgchronicle::test;

namespace {

TargetRelation history_relation() {
    TargetRelation relation;
    relation.columns = {
        {"id", "bigint"},
        {"status", "text"},
        {"valid_from", "timestamp with time zone"},
        {"valid_to", "timestamp with time zone"},
        {"is_current", "boolean"},
        {"operation_type", "text"},
        {"lsn_from", "pg_lsn"},
        {"lsn_to", "pg_lsn"},
        {"change_seq", "bigint"}};
    relation.writable = true;
    relation.owned = true;
    return relation;
}

}  // namespace

TEST_CASE("the target must be able to take the history", "[preflight]") {
    Facts facts = good();
    facts.target->in_recovery = true;
    CHECK(only(facts).what == "target server is in recovery");

    facts = good();
    facts.target->version = 130012;
    CHECK(has(only(facts).what, "older than PostgreSQL 14"));

    facts = good();
    facts.target->create_in_database = false;
    CHECK(
        only(facts).mending_sql ==
        "GRANT CREATE ON DATABASE \"analytics_db\" TO \"analytics_user\";"
    );
    facts.target->schemas = {
        {"analytics", {true, true, false}}, {"pgchronicle", {true, true, true}}};
    CHECK(
        only(facts).mending_sql ==
        "GRANT USAGE, CREATE ON SCHEMA \"analytics\" TO \"analytics_user\";"
    );

    facts = good();
    facts.target->temporary_tables = false;
    CHECK(has(only(facts).mending_sql, "GRANT TEMPORARY"));
}

TEST_CASE("a relation in the history table's place must be our history table", "[preflight]") {
    Facts facts = good();
    const history_writer::TargetName name{"analytics", "orders_history"};
    facts.target->relations[name] = history_relation();
    CHECK(preflight(facts).empty());

    facts.target->relations[name].pipeline = "other";
    CHECK(has(only(facts).what, "belongs to another source table"));

    facts.target->relations[name] = history_relation();
    facts.target->relations[name].columns.pop_back();
    CHECK(has(only(facts).what, "is not a history table"));

    facts.target->relations[name] = history_relation();
    facts.target->relations[name].writable = false;
    CHECK(
        only(facts).mending_sql ==
        "GRANT SELECT, INSERT, UPDATE ON \"analytics\".\"orders_history\" TO "
        "\"analytics_user\";"
    );
}

TEST_CASE(
    "a history column of another type is fatal, and is altered under its view",
    "[preflight]"
) {
    Facts facts = good();
    auto& relation = facts.target->relations[{"analytics", "orders_history"}];
    relation = history_relation();
    relation.columns.front().type_sql = "integer";
    CHECK(preflight(facts).empty());  // "run" makes it wider
    relation.columns.front().type_sql = "text";
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(problem.where == Side::target);
    CHECK(
        problem.what ==
        "column \"id\" of table \"analytics.orders_history\" has another type than the source's"
    );
    CHECK(problem.detail == "It is text there, and bigint is due.");
    CHECK(
        problem.mending_sql ==
        "DROP VIEW \"analytics\".\"orders_current\";\n"
        "ALTER TABLE \"analytics\".\"orders_history\" ALTER COLUMN \"id\" TYPE bigint USING "
        "\"id\"::bigint;\n"
        "CREATE VIEW \"analytics\".\"orders_current\" AS SELECT * FROM "
        "\"analytics\".\"orders_history\" WHERE \"is_current\";\n"
        "ALTER VIEW \"analytics\".\"orders_current\" OWNER TO \"analytics_user\";"
    );

    // A column that the source has gained is added.
    relation = history_relation();
    relation.columns.erase(relation.columns.begin() + 1);
    CHECK(preflight(facts).empty());
}

TEST_CASE("a history that is kept by another key is fatal", "[preflight]") {
    Facts facts = good();
    auto& relation = facts.target->relations[{"analytics", "orders_history"}];
    relation = history_relation();
    relation.pipeline = "finance";
    relation.source_schema = "operations";
    relation.source_table = "orders";
    relation.row_key = {"id"};
    CHECK(preflight(facts).empty());

    relation.row_key = {"status", "id"};
    CHECK(only(facts).what == "row key of table \"operations.orders\" has changed");
    CHECK(only(facts).detail == "Its history is kept by (status, id), and the key is (id) now.");
    relation.row_key.clear();
    CHECK(has(only(facts).detail, "by the whole row, and"));
}

TEST_CASE("a history that would be published to itself is refused", "[preflight]") {
    Facts facts = good();
    facts.source->publications.front().all_tables = true;
    CHECK(preflight(facts).empty());
    facts.target->system_identifier = "7";
    facts.target->database = "finance_db";
    CHECK(only(facts).severity == Severity::fatal);
    facts.settings.tables.exclude = {"analytics.*"};
    CHECK(preflight(facts).empty());
}

TEST_CASE("the checkpoint is compared as the start-up guard does", "[preflight]") {
    Facts facts = good();
    facts.target->checkpoint = checkpoint_at(1000);
    CHECK(preflight(facts).empty());

    facts.target->checkpoint = checkpoint_at(999);
    CHECK(has(only(facts).what, "slot is ahead of the checkpoint"));
    facts.target->checkpoint = checkpoint_at(5001);
    CHECK(has(only(facts).what, "checkpoint is ahead of the source"));

    facts.target->checkpoint.reset();
    facts.target->history_empty = false;
    CHECK(has(only(facts).what, "is missing beside its history"));
    facts.source.reset();
    facts.source_failure = Failure{.primary = "refused"};
    CHECK(preflight(facts).size() == 2);
    facts.target->checkpoint = checkpoint_at(999);  // nothing to compare it with
    CHECK(only(facts).where == Side::source);
}

TEST_CASE("a checkpoint of another source, or of its other timeline, is fatal", "[preflight]") {
    Facts facts = good();
    for (const auto& other :
         {history_writer::SourceIdentity{"9", 1, "finance_db", "cdc_pgoutput", {"cdc_publication"}},
          history_writer::SourceIdentity{"7", 2, "finance_db", "cdc_pgoutput", {"cdc_publication"}},
          history_writer::SourceIdentity{"7", 1, "other_db", "cdc_pgoutput", {"cdc_publication"}},
          history_writer::SourceIdentity{"7", 1, "finance_db", "other", {"cdc_publication"}}}) {
        facts.target->checkpoint = checkpoint_at(1000);
        facts.target->checkpoint->source = other;
        CHECK(has(only(facts).what, "belongs to another source"));
        CHECK(only(facts).severity == Severity::fatal);
    }
}

TEST_CASE("a publication that the checkpoint knows and nobody configures is fatal", "[preflight]") {
    Facts facts = good();
    facts.target->checkpoint = checkpoint_at(1000);
    facts.target->checkpoint->source.publications.emplace_back("cdc_more");
    CHECK(only(facts).what == "publication \"cdc_more\" is not configured any more");
    CHECK(only(facts).severity == Severity::fatal);
}

TEST_CASE("a function that is called for changes must be there and fit", "[preflight]") {
    Facts facts = good();
    facts.target->change_functions = {
        {.table = "operations.orders", .name = "risk.assess", .exists = true, .executable = true}};
    CHECK(preflight(facts).empty());

    auto& function = facts.target->change_functions.front();
    function.exists = false;
    function.others = {"assess(change json)"};
    CHECK(has(only(facts).what, "function \"risk.assess\" does not exist"));
    CHECK(has(only(facts).detail, "assess(change json)"));
    CHECK(has(only(facts).mending_sql, "CREATE FUNCTION \"risk\".\"assess\"(change jsonb)"));

    function.exists = true;
    function.returns_rows = true;
    CHECK(has(only(facts).what, "returns a set of rows"));

    function.returns_rows = false;
    function.executable = false;
    CHECK(has(only(facts).mending_sql, "GRANT EXECUTE ON FUNCTION \"risk\".\"assess\"(jsonb)"));
}
