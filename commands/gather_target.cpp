#include "commands/gather_target.hpp"

#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/table_state.hpp"
#include "history_writer/pg/target_types.hpp"
#include "pq/array_text.hpp"
#include "replicator/preflight.hpp"

#include <set>

namespace pgchronicle::commands {
namespace {

using replicator::TargetFacts;

constexpr std::string_view insufficient_privilege = "42501";

void read_target_server(pq::Connection& target, TargetFacts& facts) {
    const auto row = target.exec(
        "SELECT s.system_identifier, current_database(), current_user, pg_is_in_recovery(),"
        " current_setting('default_transaction_read_only') = 'on',"
        " has_database_privilege(current_database(), 'CREATE'),"
        " has_database_privilege(current_database(), 'TEMPORARY')"
        " FROM pg_control_system() s"
    );
    facts.version = target.server_version();
    facts.system_identifier = row.str(0, 0);
    facts.database = row.str(0, 1);
    facts.role = row.str(0, 2);
    facts.in_recovery = row.boolean(0, 3);
    facts.read_only = row.boolean(0, 4);
    facts.create_in_database = row.boolean(0, 5);
    facts.temporary_tables = row.boolean(0, 6);
}

void read_schemas(pq::Connection& target, std::set<std::string> names, TargetFacts& facts) {
    names.insert("pgchronicle");
    const std::vector<std::string> list{names.begin(), names.end()};
    const auto rows = target.exec(
        "SELECT wanted.name, n.oid IS NOT NULL,"
        " coalesce(has_schema_privilege(n.oid, 'USAGE'), false),"
        " coalesce(has_schema_privilege(n.oid, 'CREATE'), false)"
        " FROM unnest($1::text[]) AS wanted(name)"
        " LEFT JOIN pg_namespace n ON n.nspname = wanted.name",
        {pq::array_text(list)}
    );
    for (int row = 0; row < rows.rows(); ++row) {
        facts.schemas[rows.str(row, 0)] = {
            rows.boolean(row, 1), rows.boolean(row, 2), rows.boolean(row, 3)};
    }
}

// Rows (schema, table, kind, columns, their types, writable, owned), one for each name that is
// taken.
constexpr const char* relations_sql = R"(
SELECT n.nspname, c.relname, c.relkind,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE'),
       pg_has_role(c.relowner, 'USAGE')
FROM unnest($1::text[], $2::text[]) AS wanted(schema_name, name)
JOIN pg_namespace n ON n.nspname = wanted.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
)";

void read_relations(
    pq::Connection& target,
    const std::vector<history_writer::HistoryTable>& planned,
    TargetFacts& facts
) {
    std::vector<std::string> schemas;
    std::vector<std::string> names;
    for (const auto& table : planned) {
        schemas.push_back(table.target_schema);
        names.push_back(table.target_table);
    }
    const auto rows = target.exec(relations_sql, {pq::array_text(schemas), pq::array_text(names)});
    for (int row = 0; row < rows.rows(); ++row) {
        replicator::TargetRelation relation;
        relation.kind = rows.text(row, 2).front();
        const auto columns = pq::parse_array_text(rows.text(row, 3));
        const auto types = pq::parse_array_text(rows.text(row, 4));
        for (std::size_t i = 0; i < columns.size() && i < types.size(); ++i) {
            relation.columns.push_back({columns[i], types[i]});
        }
        relation.writable = rows.boolean(row, 5);
        relation.owned = rows.boolean(row, 6);
        facts.relations.emplace(
            history_writer::TargetName{rows.str(row, 0), rows.str(row, 1)}, std::move(relation)
        );
    }
}

void read_interference(
    pq::Connection& target,
    const std::vector<history_writer::HistoryTable>& planned,
    TargetFacts& facts
) {
    std::vector<history_writer::TargetName> tables;
    for (const auto& table : planned) {
        // Another relation in its place is a problem of its own.
        const auto found = facts.relations.find({table.target_schema, table.target_table});
        if (found == facts.relations.end()) continue;
        if (found->second.kind == 'r' || found->second.kind == 'p') tables.push_back(found->first);
    }
    for (auto& found : history_writer::pg::find_interference(target, tables)) {
        facts.interference.push_back(
            {found.table, found.what, found.why, found.mending_sql, found.silent}
        );
    }
}

// Row (exists, returns rows, executable, signatures of that name).
constexpr const char* function_sql = R"(
SELECT count(*) FILTER (WHERE fits) > 0, coalesce(bool_or(proretset) FILTER (WHERE fits), false),
       coalesce(bool_or(has_function_privilege(oid, 'EXECUTE')
                        AND has_schema_privilege(pronamespace, 'USAGE')) FILTER (WHERE fits),
                false),
       coalesce(array_agg(format('%s(%s)', proname, pg_get_function_identity_arguments(oid))
                          ORDER BY oid) FILTER (WHERE NOT fits), '{}')
FROM (SELECT p.*, p.prokind = 'f' AND p.pronargs = 1
             AND p.proargtypes[0] = 'jsonb'::regtype AS fits
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $1 AND p.proname = $2) named
)";

void read_change_functions(
    pq::Connection& target,
    const std::vector<history_writer::HistoryTable>& planned,
    TargetFacts& facts
) {
    for (const auto& table : planned) {
        if (table.on_change.empty()) continue;
        const auto dot = table.on_change.find('.');
        const auto row = target.exec(
            function_sql, {table.on_change.substr(0, dot), table.on_change.substr(dot + 1)}
        );
        facts.change_functions.push_back(
            {.table = table.source_schema + "." + table.source_table,
             .name = table.on_change,
             .exists = row.boolean(0, 0),
             .returns_rows = row.boolean(0, 1),
             .executable = row.boolean(0, 2),
             .others = pq::parse_array_text(row.text(0, 3))}
        );
    }
}

/// What the metadata says, if it is there and may be read; judge_rights tells when it may not.
void read_metadata(pq::Connection& target, const config::Settings& settings, TargetFacts& facts) {
    const auto schema = facts.schemas.find("pgchronicle");
    if (schema == facts.schemas.end() || !schema->second.usage) return;
    if (!history_writer::pg::has_metadata(target)) return;
    try {
        facts.checkpoint = history_writer::pg::read_checkpoint(target, settings.pipeline);
        facts.history_empty =
            facts.checkpoint || history_writer::pg::history_empty(target, settings.pipeline);
        const auto owners = target.exec(
            "SELECT target_schema, target_table, CASE WHEN (to_jsonb(t)->>'imported')::boolean"
            " THEN 'pgchronicle import' ELSE pipeline END, source_schema, source_table, row_key"
            " FROM pgchronicle.table_state t WHERE state <> 'ended'"
        );
        for (int row = 0; row < owners.rows(); ++row) {
            const auto found = facts.relations.find({owners.str(row, 0), owners.str(row, 1)});
            if (found == facts.relations.end()) continue;
            found->second.pipeline = owners.str(row, 2);
            found->second.source_schema = owners.str(row, 3);
            found->second.source_table = owners.str(row, 4);
            found->second.row_key = pq::parse_array_text(owners.text(row, 5));
        }
        facts.kept_slots = history_writer::pg::read_kept_slots(target);
    } catch (const pq::Error& error) {
        if (error.sqlstate() != insufficient_privilege) throw;
    }
}

}  // namespace

TargetFacts gather_target(pq::Connection& target, const replicator::Facts& facts) {
    const auto planned = replicator::planned_tables(facts);
    std::set<std::string> schemas;
    for (const auto& table : planned) schemas.insert(table.target_schema);
    if (planned.empty() && facts.settings.target.schema.find('{') == std::string::npos) {
        schemas.insert(facts.settings.target.schema);
    }
    TargetFacts result;
    read_target_server(target, result);
    read_schemas(target, std::move(schemas), result);
    if (facts.source) {
        result.types = history_writer::pg::read_target_types(target, facts.source->server.version);
    }
    read_relations(target, planned, result);
    read_interference(target, planned, result);
    read_change_functions(target, planned, result);
    read_metadata(target, facts.settings, result);
    result.lock_holder =
        history_writer::pg::pipeline_lock_holder(target, facts.settings.pipeline, "");
    return result;
}

}  // namespace pgchronicle::commands
