#pragma once

#include "replicator/preflight.hpp"

#include <catch2/catch.hpp>

#include <string>

// Facts for preflight() that have no problem, for tests to spoil.

namespace pgchronicle::test {

using namespace pgchronicle::replicator;
using pgoutput::Lsn;

inline source_catalog::Column
column(const std::string& name, std::uint32_t type, const std::string& sql) {
    source_catalog::Column result;
    result.name = name;
    result.type = pgoutput::TypeOid{type};
    result.type_name = sql;
    result.type_sql = sql;
    return result;
}

inline source_catalog::Table table(const std::string& schema, const std::string& name) {
    source_catalog::Table result;
    result.id = pgoutput::RelationId{16400};
    result.schema_name = schema;
    result.name = name;
    result.columns = {column("id", 20, "bigint"), column("status", 25, "text")};
    result.primary_key = {"id"};
    result.can_select = true;
    return result;
}

/// Two servers on which everything is as it should be.
inline Facts good() {
    Facts facts;
    facts.settings.source.slot = "cdc_pgoutput";
    facts.settings.source.publications = {"cdc_publication"};
    facts.settings.pipeline = "finance";

    SourceFacts source;
    source.server.version = 150018;
    source.server.system_identifier = "7";
    source.server.timeline = 1;
    source.server.database = "finance_db";
    source.server.wal_level = "logical";
    source.server.flush_lsn = Lsn{5000};
    source.server.role = "cdc_user";
    source.server.replication = true;
    source.slot.emplace();
    source.slot->name = "cdc_pgoutput";
    source.slot->plugin = "pgoutput";
    source.slot->database = "finance_db";
    source.slot->confirmed_flush_lsn = Lsn{1000};
    source.slot->wal_status = "reserved";
    source.publications = {{.name = "cdc_publication"}};
    source.tables = {table("operations", "orders")};
    source.replication_slots = {10, 1};
    source.wal_senders = {10, 0};
    source.slot_keep_mib = 1024;
    source.probe = SlotProbe::readable;
    facts.source = source;

    TargetFacts target;
    target.version = 160002;
    target.system_identifier = "8";
    target.database = "analytics_db";
    target.role = "analytics_user";
    target.create_in_database = true;
    target.temporary_tables = true;
    target.schemas = {{"analytics", {}}, {"pgchronicle", {}}};
    facts.target = target;
    return facts;
}

/// The only problem that `facts` have.
inline Problem only(const Facts& facts) {
    const auto problems = preflight(facts);
    for (const auto& problem : problems) UNSCOPED_INFO(problem.what << " / " << problem.detail);
    REQUIRE(problems.size() == 1);
    return problems.front();
}

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline history_writer::Checkpoint checkpoint_at(std::uint64_t position) {
    history_writer::Checkpoint checkpoint;
    checkpoint.source = {"7", 1, "finance_db", "cdc_pgoutput", {"cdc_publication"}};
    checkpoint.position = Lsn{position};
    return checkpoint;
}

}  // namespace pgchronicle::test
