#include "replicator/preflight.hpp"

#include "replicator/preflight_rules.hpp"
#include "tests/unit/replicator/good_facts.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace pgchronicle;
using namespace pgchronicle::test;

TEST_CASE("two servers in order have no problem", "[preflight]") {
    CHECK(preflight(good()).empty());
}

TEST_CASE("an unreachable server is a problem, and the other side is still judged", "[preflight]") {
    Facts facts = good();
    facts.source.reset();
    facts.source_failure =
        Failure{.primary = "connection to server at \"db\" failed: Connection refused"};
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(problem.where == Side::source);
    CHECK(
        problem.what ==
        "could not use the source: connection to server at \"db\" failed: Connection refused"
    );
    CHECK_FALSE(problem.hint.empty());
    CHECK_FALSE(problem.mending_sql.empty());

    facts.target->in_recovery = true;
    CHECK(preflight(facts).size() == 2);
}

TEST_CASE("a wrong password is mended by ALTER ROLE, without one in the text", "[preflight]") {
    Facts facts = good();
    facts.settings.target.connection.password = config::Secret{"hunter2"};
    facts.target.reset();
    facts.target_peer.user = "analytics \"user";
    facts.target_failure =
        Failure{.sqlstate = "28P01", .primary = "password authentication failed"};
    const Problem problem = only(facts);
    CHECK(problem.where == Side::target);
    CHECK(problem.mending_sql == R"(ALTER ROLE "analytics ""user" LOGIN PASSWORD '...';)");
    CHECK_FALSE(has(problem.what + problem.detail + problem.hint + problem.mending_sql, "hunter2"));
}

TEST_CASE("each way of being refused has its remedy", "[preflight]") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"28000", "ALTER ROLE \"role\" LOGIN;"},
        {"3D000", "CREATE DATABASE \"database\";"},
        {"53300", "max_connections"},
        {"42501", "GRANT CONNECT ON DATABASE"},
    };
    for (const auto& [sqlstate, sql] : cases) {
        Facts facts = good();
        facts.source.reset();
        facts.source_failure = Failure{.sqlstate = sqlstate, .primary = "no"};
        CAPTURE(sqlstate);
        CHECK(has(only(facts).mending_sql, sql));
    }
}

TEST_CASE("wal_level below logical is fatal", "[preflight]") {
    Facts facts = good();
    facts.source->server.wal_level = "replica";
    CHECK(has(only(facts).mending_sql, "ALTER SYSTEM SET wal_level = 'logical';"));
}

TEST_CASE("two_phase needs a server that can send it", "[preflight]") {
    Facts facts = good();
    facts.settings.source.two_phase = true;
    CHECK(preflight(facts).empty());
    facts.source->server.version = 140023;
    CHECK(has(only(facts).what, "PostgreSQL 15"));
    facts.settings.source.two_phase = false;
    CHECK(preflight(facts).empty());
    facts.source->slot->two_phase = true;
    CHECK(has(only(facts).what, "PostgreSQL 15"));
}

TEST_CASE("a missing slot is fatal unless it may be created", "[preflight]") {
    Facts facts = good();
    facts.source->slot.reset();
    facts.source->similar_slot = "cdc_pgoutput2";
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(problem.what == "replication slot \"cdc_pgoutput\" does not exist");
    CHECK(
        problem.mending_sql ==
        "SELECT pg_create_logical_replication_slot('cdc_pgoutput', 'pgoutput');"
    );
    CHECK(has(problem.hint, "\"cdc_pgoutput2\""));

    facts.settings.source.create_slot = config::CreateSlot::if_missing;
    CHECK(only(facts).severity == Severity::note);
}

TEST_CASE("a slot that is gone is never created again over a history", "[preflight]") {
    Facts facts = good();
    facts.source->slot.reset();
    facts.settings.source.create_slot = config::CreateSlot::if_missing;
    facts.target->checkpoint = checkpoint_at(2000);
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(has(problem.detail, "0/7D0"));
    CHECK(problem.mending_sql.empty());
}

TEST_CASE("a slot of another plugin or database is fatal", "[preflight]") {
    Facts facts = good();
    facts.source->slot->plugin = "wal2json";
    CHECK(
        only(facts).what ==
        "replication slot \"cdc_pgoutput\" uses plugin \"wal2json\", not \"pgoutput\""
    );

    facts = good();
    facts.source->slot->plugin = "";
    CHECK(has(only(facts).what, "physical"));

    facts = good();
    facts.source->slot->database = "other_db";
    const Problem problem = only(facts);
    CHECK(has(problem.what, "belongs to database \"other_db\", not \"finance_db\""));
    CHECK(has(problem.mending_sql, "'cdc_pgoutput_2'"));
}

TEST_CASE("a slot in use is fatal, but not by this pipeline", "[preflight]") {
    Facts facts = good();
    facts.source->slot->active = true;
    facts.source->slot->active_pid = 4711;
    facts.source->slot_user = "debezium";
    Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(has(problem.detail, "4711"));
    CHECK(problem.mending_sql == "SELECT pg_terminate_backend(4711);");

    facts.source->slot_user = "pgchronicle finance host 812";
    CHECK(only(facts).severity == Severity::note);
    facts.source->slot_user = "pgchronicle finance2 host 812";
    CHECK(only(facts).severity == Severity::fatal);
}

TEST_CASE("a lost slot is fatal with the server's reason", "[preflight]") {
    Facts facts = good();
    facts.source->slot->wal_status = "lost";
    facts.source->slot->invalidation_reason = "idle_timeout";
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(has(problem.detail, "idle_timeout"));

    // Another slot alone would be ahead of the checkpoint.
    facts.target->checkpoint = checkpoint_at(1000);
    CHECK(has(only(facts).hint, "on_slot_lost: reconcile"));
    CHECK(has(only(facts).hint, "pgchronicle repair skip"));
    CHECK(only(facts).mending_sql.empty());
    facts.target->checkpoint.reset();
    CHECK(has(only(facts).mending_sql, "pg_drop_replication_slot"));
    CHECK(has(only(facts).mending_sql, "pg_create_logical_replication_slot"));

    facts = good();
    facts.source->slot->wal_status = "unreserved";
    CHECK(only(facts).severity == Severity::warning);
}

TEST_CASE("a lost slot that is reconciled is a warning that says so", "[preflight]") {
    Facts facts = good();
    facts.settings.source.on_slot_lost = config::OnSlotLost::reconcile;
    facts.target->checkpoint = checkpoint_at(2000);
    CHECK(preflight(facts).empty());
    const auto warned = [](const Facts& lost) {
        const Problem problem = only(lost);
        CHECK(problem.severity == Severity::warning);
        CHECK(has(problem.detail, "compares every table with the source"));
        CHECK(problem.mending_sql.empty());
    };
    Facts lost = facts;
    lost.source->slot->wal_status = "lost";
    warned(lost);
    lost = facts;
    lost.source->slot.reset();
    warned(lost);
    lost = facts;
    lost.target->checkpoint = checkpoint_at(999);
    warned(lost);
    CHECK(has(only(lost).what, "has confirmed 0/3E8, and the checkpoint is at 0/3E7"));
    // What it would not mend stays fatal.
    lost.target->checkpoint = checkpoint_at(5001);
    CHECK(only(lost).severity == Severity::fatal);
    lost = facts;
    lost.target->checkpoint.reset();
    lost.source->slot->wal_status = "lost";
    CHECK(only(lost).severity == Severity::fatal);
}

TEST_CASE("a slot older than its publication is passed by repair skip", "[preflight]") {
    Facts facts = good();
    facts.source->probe = SlotProbe::publication_unknown;
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(has(problem.hint, "pgchronicle repair skip --reason"));
}

TEST_CASE("a missing publication is created, a misspelt one is named", "[preflight]") {
    Facts facts = good();
    facts.source->publications.clear();
    facts.source->tables.clear();
    facts.settings.tables.include = {"operations.*", "operations.o*", "billing.?"};
    CHECK(
        only(facts).mending_sql ==
        "CREATE PUBLICATION \"cdc_publication\" FOR TABLES IN SCHEMA \"billing\", "
        "\"operations\";"
    );

    facts.source->server.version = 140010;
    CHECK(only(facts).mending_sql == "CREATE PUBLICATION \"cdc_publication\" FOR ALL TABLES;");

    facts.source->similar_publications = {{"cdc_publication", "cdc_publikation"}};
    const Problem problem = only(facts);
    CHECK(has(problem.hint, "Perhaps you meant \"cdc_publikation\""));
    CHECK(has(
        problem.mending_sql, "ALTER PUBLICATION \"cdc_publikation\" RENAME TO \"cdc_publication\";"
    ));
}

TEST_CASE("a narrowed publication is fatal, whatever another one publishes", "[preflight]") {
    Facts facts = good();
    auto& publication = facts.source->publications.front();
    publication.updates = publication.deletes = publication.truncates = false;
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(
        problem.what == "publication \"cdc_publication\" does not publish update, delete, truncate"
    );
    CHECK(
        problem.mending_sql ==
        "ALTER PUBLICATION \"cdc_publication\" SET (publish = 'insert, update, delete, "
        "truncate');"
    );

    facts.settings.source.publications.emplace_back("rest");
    facts.source->publications.push_back({.name = "rest"});
    CHECK(only(facts).severity == Severity::fatal);
}

TEST_CASE("a table without a usable replica identity is fatal", "[preflight]") {
    using pgoutput::ReplicaIdentity;
    Facts facts = good();
    auto& orders = facts.source->tables.front();
    orders.primary_key.clear();
    Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(problem.what == "table \"operations.orders\" has no usable replica identity");
    CHECK(problem.mending_sql == "ALTER TABLE \"operations\".\"orders\" REPLICA IDENTITY FULL;");

    orders.primary_key = {"id"};
    orders.replica_identity = ReplicaIdentity::nothing;
    CHECK(
        only(facts).mending_sql == "ALTER TABLE \"operations\".\"orders\" REPLICA IDENTITY DEFAULT;"
    );

    orders.replica_identity = ReplicaIdentity::index;
    CHECK(has(only(facts).detail, "that index is gone"));
    orders.identity_index = {"status"};
    CHECK(preflight(facts).empty());

    orders.primary_key.clear();
    orders.replica_identity = ReplicaIdentity::full;
    CHECK(only(facts).severity == Severity::note);
}

TEST_CASE("a key column that is excluded leaves no identity", "[preflight]") {
    Facts facts = good();
    facts.settings.tables.overrides["operations.orders"].exclude_columns = {"id"};
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::fatal);
    CHECK(has(problem.what, "key columns"));
}

TEST_CASE(
    "missing REPLICATION is told from the attempt, and memberships are explained",
    "[preflight]"
) {
    Facts facts = good();
    facts.source->server.replication = false;
    CHECK(preflight(facts).empty());  // a managed server let it connect all the same

    facts.source->replication_failure = Failure{.sqlstate = "42501", .primary = "no"};
    CHECK(only(facts).mending_sql == "ALTER ROLE \"cdc_user\" REPLICATION;");

    facts.source->server.replication_members = {"cdc_replication"};
    CHECK(
        has(only(facts).detail,
            "\"CREATE USER cdc_user WITH ROLE cdc_replication\" makes \"cdc_replication\" a "
            "member of \"cdc_user\"")
    );

    facts.source->server.replication_members.clear();
    facts.source->server.replication_through = {"cdc_replication"};
    CHECK(has(only(facts).detail, "attributes are never inherited"));

    facts.source->server.replication = true;
    CHECK(has(only(facts).what, "could not open a replication connection"));
}

TEST_CASE(
    "missing SELECT is granted per schema, and only the initial copy needs it",
    "[preflight]"
) {
    Facts facts = good();
    facts.source->tables.push_back(table("operations", "items"));
    for (auto& each : facts.source->tables) each.can_select = false;
    CHECK(
        only(facts).mending_sql ==
        "GRANT USAGE ON SCHEMA \"operations\" TO \"cdc_user\";\n"
        "GRANT SELECT ON \"operations\".\"orders\", \"operations\".\"items\" TO \"cdc_user\";"
    );
    facts.settings.snapshot = config::Snapshot::never;
    CHECK(preflight(facts).empty());
}

TEST_CASE("rows hidden by row-level security would be missing from the copy", "[preflight]") {
    Facts facts = good();
    facts.source->row_security = {{"operations", "orders"}};
    CHECK(only(facts).mending_sql == "ALTER ROLE \"cdc_user\" BYPASSRLS;");
}

TEST_CASE("exhausted slots and senders are counted with what the copy needs", "[preflight]") {
    Facts facts = good();
    facts.source->replication_slots = {4, 3};
    facts.source->wal_senders = {4, 2};
    CHECK(preflight(facts).empty());
    facts.source->replication_slots = {4, 4};
    CHECK(has(only(facts).mending_sql, "ALTER SYSTEM SET max_replication_slots = 9;"));
    facts.target->checkpoint = checkpoint_at(1000);  // nothing is copied any more
    CHECK(preflight(facts).empty());

    facts = good();
    facts.source->wal_senders = {4, 3};
    CHECK(has(only(facts).mending_sql, "max_wal_senders"));
}

TEST_CASE("a column with a history column's name is fatal", "[preflight]") {
    Facts facts = good();
    facts.source->tables.front().columns.push_back(column("valid_from", 1082, "date"));
    const Problem problem = only(facts);
    CHECK(problem.where == Side::configuration);
    CHECK(
        problem.what ==
        "column \"valid_from\" of table \"operations.orders\" has the name of a history column"
    );

    facts.settings.tables.overrides["operations.orders"].rename = {{"valid_from", "starts"}};
    CHECK(preflight(facts).empty());
    facts.settings.tables.overrides.clear();
    facts.settings.tables.history_columns.valid_from = "version_from";
    CHECK(preflight(facts).empty());
}

TEST_CASE("two columns renamed to one name are fatal", "[preflight]") {
    Facts facts = good();
    facts.settings.tables.overrides["operations.orders"].rename = {{"status", "id"}};
    CHECK(has(only(facts).what, "two columns of table \"operations.orders\" become \"id\""));
}

TEST_CASE("two source tables with one history table are fatal", "[preflight]") {
    Facts facts = good();
    facts.source->tables.push_back(table("sales", "orders"));
    const Problem problem = only(facts);
    CHECK(problem.what == "2 source tables map to one history table, \"analytics.orders_history\"");
    CHECK(has(problem.detail, "\"operations.orders\" and \"sales.orders\""));

    facts.settings.target.schema = "{schema}_hist";
    facts.target->schemas = {{"operations_hist", {}}, {"sales_hist", {}}, {"pgchronicle", {}}};
    CHECK(preflight(facts).empty());
}

TEST_CASE("types that become text are noted with the reason", "[preflight]") {
    Facts facts = good();
    auto mood = column("mood", 16500, "public.mood");
    mood.type_kind = 'e';
    facts.source->tables.front().columns.push_back(mood);
    const Problem problem = only(facts);
    CHECK(problem.severity == Severity::note);
    CHECK(has(problem.detail, "Type public.mood of column \"mood\" is an enum."));
}

TEST_CASE("row filters and unlogged tables are surprises", "[preflight]") {
    Facts facts = good();
    facts.source->tables.front().row_filter = "(id > 3)";
    CHECK(only(facts).severity == Severity::warning);

    facts = good();
    facts.source->unpublished = {{"operations", "scratch", true}};
    CHECK(has(only(facts).mending_sql, "SET LOGGED"));
    facts.source->unpublished = {{"operations", "forgotten", false}};
    CHECK(
        only(facts).mending_sql ==
        "ALTER PUBLICATION \"cdc_publication\" ADD TABLE \"operations\".\"forgotten\";"
    );
}

TEST_CASE("patterns and overrides that match nothing are warned of", "[preflight]") {
    Facts facts = good();
    facts.settings.tables.include = {"operations.*", "opreations.x"};
    CHECK(only(facts).what == "include pattern \"opreations.x\" matches no published table");

    facts = good();
    facts.settings.tables.overrides["operations.odrers"];
    CHECK(only(facts).severity == Severity::warning);
    facts.settings.tables.overrides.clear();
    facts.settings.tables.overrides["operations.orders"].exclude_columns = {"stauts"};
    CHECK(has(only(facts).what, "\"stauts\""));
}

TEST_CASE("published tables without history are noted, none at all is fatal", "[preflight]") {
    Facts facts = good();
    facts.source->tables.push_back(table("cron", "job"));
    facts.settings.tables.exclude = {"cron.*"};
    CHECK(only(facts).what == "1 published table gets no history");

    facts.settings.tables.exclude = {"*.*"};
    const auto problems = preflight(facts);
    CHECK(std::ranges::count(problems, Severity::fatal, &Problem::severity) == 1);
}

TEST_CASE("spool_dir must be writable", "[preflight]") {
    Facts facts = good();
    facts.spool_error = "Permission denied";
    CHECK(only(facts).what == "could not write to spool_dir \"/var/tmp\": Permission denied");
}

TEST_CASE("a network without a proven server is warned of", "[preflight]") {
    Facts facts = good();
    facts.target_peer.sslmode = "prefer";
    CHECK(preflight(facts).empty());  // Within one host nobody stands in between.

    facts.target_peer.network = true;
    const auto problem = only(facts);
    CHECK(problem.severity == Severity::warning);
    CHECK(problem.where == Side::target);
    CHECK(problem.what == "the target is reached over a network with sslmode \"prefer\"");
    CHECK(has(problem.hint, "sslmode=verify-full"));

    facts.target_peer.sslmode = "verify-ca";
    CHECK(has(only(facts).detail, "the same authority"));
    facts.target_peer.sslmode = "verify-full";
    CHECK(preflight(facts).empty());

    facts.source_peer.network = true;
    facts.source_peer.sslmode = "require";
    CHECK(only(facts).where == Side::source);
}

TEST_CASE("hostile names stay inside their quotes in mending SQL", "[preflight]") {
    Facts facts = good();
    const std::string evil = "o\"; DROP TABLE x; --";
    facts.source->tables = {table("op'\\s", evil)};
    facts.source->tables.front().primary_key.clear();
    CHECK(
        only(facts).mending_sql ==
        "ALTER TABLE \"op'\\s\".\"o\"\"; DROP TABLE x; --\" REPLICA IDENTITY FULL;"
    );
}

TEST_CASE("long lists are shortened for reading", "[preflight]") {
    CHECK(shown_list({}).empty());
    CHECK(shown_list({"a"}) == "a");
    CHECK(shown_list({"a", "b"}) == "a and b");
    CHECK(shown_list({"1", "2", "3", "4", "5", "6", "7", "8"}) == "1, 2, 3, 4, 5, 6, 7 and 8");
    CHECK(
        shown_list({"1", "2", "3", "4", "5", "6", "7", "8", "9"}) ==
        "1, 2, 3, 4, 5, 6, 7 and 2 more"
    );
}
