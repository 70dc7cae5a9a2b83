#include "history_writer/pg/table_state.hpp"

#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/target_table.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "pq/array_text.hpp"

#include <charconv>
#include <utility>

namespace pgchronicle::history_writer::pg {

namespace {

std::uint32_t oid_of(std::string_view digits) {
    std::uint32_t oid = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), oid);
    return oid;
}

const char* name_of(CompareAs compare_as) {
    switch (compare_as) {
    case CompareAs::reconcile:
        return "RECONCILE";
    case CompareAs::rewrite:
        return "REWRITE";
    case CompareAs::nothing:
        break;
    }
    return "";
}

CompareAs compare_as_of(std::string_view name) {
    if (name == "RECONCILE") return CompareAs::reconcile;
    return name == "REWRITE" ? CompareAs::rewrite : CompareAs::nothing;
}

std::vector<TableState>
read_tables(pq::Connection& target, const std::string& pipeline, bool imported) {
    const auto rows = target.exec(
        "SELECT source_schema, source_table, relation_id, target_schema, target_table, row_key,"
        " state, coalesce(compare_as, ''), begins_at, membership, coalesce(source_file, 0)"
        " FROM pgchronicle.table_state t WHERE pipeline = $1"
        // Older metadata has no such column, and not everybody who reads makes one.
        " AND coalesce((to_jsonb(t)->>'imported')::boolean, false) = $2::boolean",
        {pipeline, imported ? "true" : "false"}
    );
    std::vector<TableState> states;
    for (int i = 0; i < rows.rows(); ++i) {
        TableState state;
        state.source_schema = rows.str(i, 0);
        state.source_table = rows.str(i, 1);
        state.relation = pgoutput::RelationId{oid_of(rows.text(i, 2))};
        state.target_schema = rows.str(i, 3);
        state.target_table = rows.str(i, 4);
        state.row_key = pq::parse_array_text(rows.text(i, 5));
        state.copied = rows.text(i, 6) == "copied";
        state.ended = rows.text(i, 6) == "ended";
        state.compare_as = compare_as_of(rows.text(i, 7));
        state.begins_at = pgoutput::parse_lsn(rows.text(i, 8)).value_or(pgoutput::Lsn{});
        state.membership = rows.str(i, 9);
        state.source_file = oid_of(rows.text(i, 10));
        state.imported = imported;
        states.push_back(std::move(state));
    }
    return states;
}

}  // namespace

std::vector<TableState> read_states(pq::Connection& target, const std::string& pipeline) {
    return read_tables(target, pipeline, false);
}

std::vector<TableState> read_imported_states(pq::Connection& target, const std::string& pipeline) {
    return read_tables(target, pipeline, true);
}

void begin_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    pgoutput::Lsn begins_at,
    bool copied
) {
    target.exec(
        "INSERT INTO pgchronicle.table_state AS t (pipeline, source_schema, source_table,"
        " relation_id, target_schema, target_table, row_key, state, begins_at, membership,"
        " source_file, seam, consistent_from, seam_time)"
        " SELECT $1, $2, $3, $4::oid, $5, $6, $7::text[], $8, $9::pg_lsn, $10,"
        " nullif($11, '0')::oid, known.lsn, known.lsn, CASE WHEN known.lsn IS NOT NULL THEN now() "
        "END"
        " FROM (SELECT CASE WHEN $8 = 'copied' THEN $9::pg_lsn END AS lsn) known"
        " ON CONFLICT (pipeline, source_schema, source_table) DO UPDATE SET"
        " relation_id = excluded.relation_id, target_schema = excluded.target_schema,"
        " target_table = excluded.target_table, row_key = excluded.row_key,"
        " state = excluded.state, compare_as = NULL, begins_at = excluded.begins_at,"
        " membership = excluded.membership, source_file = excluded.source_file,"
        " seam = excluded.seam, consistent_from = excluded.consistent_from,"
        " seam_time = excluded.seam_time, rows_copied = NULL, copied_at = NULL",
        {pipeline,
         table.source_schema,
         table.source_table,
         oid_text(table.relation),
         table.target_schema,
         table.target_table,
         array_literal(key_names(table)),
         copied ? "copied" : "pending",
         to_string(begins_at),
         source.membership,
         std::to_string(source.file)}
    );
}

void end_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const std::string& source_schema,
    const std::string& source_table
) {
    target.exec(
        "UPDATE pgchronicle.table_state SET state = 'ended', compare_as = NULL"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, source_schema, source_table}
    );
}

void mark_for_comparison(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    CompareAs compare_as
) {
    // What was missed is the graver reason.
    target.exec(
        "UPDATE pgchronicle.table_state SET compare_as ="
        " CASE WHEN compare_as = 'RECONCILE' THEN compare_as ELSE $4 END"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3 AND state = 'copied'",
        {pipeline, table.source_schema, table.source_table, name_of(compare_as)}
    );
}

void forget_comparison(
    pq::Connection& target,
    const std::string& pipeline,
    const TableState& state
) {
    target.exec(
        "UPDATE pgchronicle.table_state SET compare_as = NULL"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, state.source_schema, state.source_table}
    );
}

void note_source(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
) {
    target.exec(
        "UPDATE pgchronicle.table_state SET membership = $4, source_file = nullif($5, '0')::oid"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3"
        " AND (membership, source_file) IS DISTINCT FROM ($4, nullif($5, '0')::oid)",
        {pipeline, source.schema_name, source.name, source.membership, std::to_string(source.file)}
    );
}

void note_file(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
) {
    target.exec(
        "UPDATE pgchronicle.table_state SET source_file = nullif($4, '0')::oid"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, source.schema_name, source.name, std::to_string(source.file)}
    );
}

void succeed_relation(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source
) {
    target.exec(
        "UPDATE pgchronicle.table_state SET relation_id = $4::oid, membership = $5,"
        " source_file = nullif($6, '0')::oid, compare_as = 'RECONCILE'"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline,
         source.schema_name,
         source.name,
         oid_text(source.id),
         source.membership,
         std::to_string(source.file)}
    );
}

void note_unfollowed(pq::Connection& target, const std::string& pipeline, const TableState& state) {
    if (state.membership.empty()) return;
    target.exec(
        "UPDATE pgchronicle.table_state SET membership = ''"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, state.source_schema, state.source_table}
    );
}

void require_same_target(const TableState& state, const HistoryTable& table) {
    if (state.target_schema == table.target_schema && state.target_table == table.target_table)
        return;
    throw TargetMismatch{
        "the configuration sends table \"" + table.source_schema + "." + table.source_table +
            "\" elsewhere than before",
        "Its history is in \"" + state.target_schema + "." + state.target_table + "\", and \"" +
            table.target_schema + "." + table.target_table + "\" is configured.",
        "Restore target.schema, table_suffix or tables.overrides.<t>.target, or run it as another "
        "pipeline."};
}

void open_gap(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    const std::string& reason,
    const std::string& detail
) {
    target.exec(
        "INSERT INTO pgchronicle.gap (pipeline, source_schema, source_table, from_lsn, to_lsn,"
        " reason, detail) SELECT pipeline, $2, $3, position, position, $4, $5"
        " FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {pipeline, table.source_schema, table.source_table, reason, detail}
    );
}

bool history_empty(pq::Connection& target, const std::string& pipeline) {
    const auto tables = target.exec(
        "SELECT format('%I.%I', target_schema, target_table) FROM pgchronicle.table_state"
        " WHERE pipeline = $1 AND to_regclass(format('%I.%I', target_schema, target_table))"
        " IS NOT NULL",
        {pipeline}
    );
    for (int i = 0; i < tables.rows(); ++i) {
        const auto any = target.exec("SELECT 1 FROM " + tables.str(i, 0) + " LIMIT 1");
        if (any.rows() != 0) return false;
    }
    return true;
}

}  // namespace pgchronicle::history_writer::pg
