#include "history_writer/pg/shadow.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/rewind.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/target_table.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace pgchronicle::history_writer::pg {

namespace {

std::string quoted(const TargetName& table) {
    return pq::quote_qualified(table.schema, table.table);
}

HistoryTable history_of(const TargetName& table, const config::Settings& settings) {
    HistoryTable history;
    history.target_schema = table.schema;
    history.target_table = table.table;
    history.names = settings.tables.history_columns;
    history.base_name = base_name(table, settings.target.table_suffix);
    return history;
}

/// The rows of `live` as of `position`: what was closed later is open.
void copy_rows(
    pq::Connection& target,
    const TargetName& live,
    const TargetName& copy,
    const config::HistoryColumnNames& names,
    const std::string& position
) {
    const Names n{names};
    std::string columns;
    for (const auto& [name, type] : existing_columns(target, live)) {
        if (name == names.valid_to || name == names.lsn_to || name == names.is_current) continue;
        columns += pq::quote_identifier(name) + ", ";
    }
    target.exec(fmt::format(
        "INSERT INTO {copy} ({columns}{to}, {lsn_to}, {current}) SELECT {columns}"
        "CASE WHEN {lsn_to} <= '{at}' THEN {to} END, CASE WHEN {lsn_to} <= '{at}' THEN {lsn_to} "
        "END,"
        " {current} OR coalesce({lsn_to} > '{at}', false) FROM {live} WHERE {lsn_from} <= '{at}'",
        fmt::arg("copy", quoted(copy)),
        fmt::arg("live", quoted(live)),
        fmt::arg("columns", columns),
        fmt::arg("to", n.valid_to),
        fmt::arg("lsn_to", n.lsn_to),
        fmt::arg("lsn_from", n.lsn_from),
        fmt::arg("current", n.is_current),
        fmt::arg("at", position)
    ));
}

/// The index by which keys are found, of the same kind.
void copy_index(pq::Connection& target, const HistoryTable& live, const TargetName& copy) {
    const auto found = target.exec(
        "SELECT replace(pg_get_indexdef(i.indexrelid), format(' ON %I.%I USING ', n.nspname,"
        " t.relname), format(' ON %I.%I USING ', $4::text, $5::text))"
        " FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
        " JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = $1 AND t.relname = $2 AND c.relname = $3",
        {live.target_schema, live.target_table, key_index_name(live), copy.schema, copy.table}
    );
    if (found.rows() == 1) target.exec(found.str(0, 0));
}

void copy_table(
    pq::Connection& target,
    const config::Settings& live,
    const config::Settings& shadow,
    const KeptTable& kept,
    pgoutput::Lsn position
) {
    const auto copy = target_name(kept.source_schema, kept.source_table, shadow);
    ensure_schema(target, copy.schema);
    target.exec(
        fmt::format("CREATE TABLE {} (LIKE {} INCLUDING STORAGE)", quoted(copy), quoted(kept.name))
    );
    copy_rows(target, kept.name, copy, live.tables.history_columns, to_string(position));
    copy_index(target, history_of(kept.name, live), copy);
    undo_shapes(target, live, kept, copy, position);
    target.exec("SET LOCAL check_function_bodies = off");
    for (const auto& sql : create_readers_sql(history_of(copy, shadow))) target.exec(sql);
    target.exec(
        "INSERT INTO pgchronicle.table_state (pipeline, source_schema, source_table, relation_id,"
        " target_schema, target_table, row_key, state, compare_as, begins_at, membership,"
        " source_file, seam, seam_time, consistent_from, rows_copied, copied_at, compared)"
        " SELECT $2, source_schema, source_table, relation_id, $5, $6, row_key, state, compare_as,"
        " begins_at, membership, source_file, seam, seam_time, consistent_from, rows_copied,"
        " copied_at, compared FROM pgchronicle.table_state"
        " WHERE pipeline = $1 AND source_schema = $3 AND source_table = $4",
        {live.pipeline,
         shadow.pipeline,
         kept.source_schema,
         kept.source_table,
         copy.schema,
         copy.table}
    );
}

/// A name for each table, and nobody there who has it.
void check_names(
    pq::Connection& target,
    const config::Settings& shadow,
    const std::vector<KeptTable>& tables
) {
    std::map<TargetName, std::string> taken;
    for (const auto& table : tables) {
        const auto copy = target_name(table.source_schema, table.source_table, shadow);
        const auto name = fmt::format("{}.{}", copy.schema, copy.table);
        const auto source = fmt::format("{}.{}", table.source_schema, table.source_table);
        const auto [other, first] = taken.try_emplace(copy, source);
        if (!first) {
            throw ShadowTaken{
                fmt::format(
                    R"(Tables "{}" and "{}" would both go to "{}".)", other->second, source, name
                ),
                "Put {schema} into the name, as target.schema has it."};
        }
        const auto there = target.exec("SELECT to_regclass($1) IS NOT NULL", {quoted(copy)});
        if (!there.boolean(0, 0)) continue;
        throw ShadowTaken{
            fmt::format("Table \"{}\" is there.", name),
            "Name another schema, or move that table away."};
    }
}

}  // namespace

void drop_shadow(pq::Connection& target, const std::string& shadow) {
    for (const auto& table : kept_tables(target, shadow)) {
        target.exec("DROP TABLE " + quoted(table.name) + " CASCADE");
    }
    for (const char* const table :
         {"table_state",
          "relation_shape",
          "replay_shape",
          "pending_value",
          "gap",
          "quarantine",
          "checkpoint"}) {
        target.exec(fmt::format("DELETE FROM pgchronicle.{} WHERE pipeline = $1", table), {shadow});
    }
}

void hold_still(
    pq::Connection& target,
    const config::Settings& live,
    const std::vector<KeptTable>& tables
) {
    // What a statement names is looked up as it is now, whatever the snapshot, which the first
    // query takes. LOCK takes none.
    for (const auto& table : tables) {
        target.exec("LOCK TABLE " + quoted(table.name) + " IN ACCESS SHARE MODE");
    }
    if (followed(target, live) != tables) {
        throw CannotRewind{"Meanwhile, other tables are followed."};
    }
}

void build_shadow(
    pq::Connection& target,
    const config::Settings& live,
    const config::Settings& shadow,
    const ReplayPoint& from,
    pgoutput::Lsn until
) {
    const auto tables = followed(target, live);
    check_names(target, shadow, tables);
    for (const auto& table : tables) copy_table(target, live, shadow, table, from.position);
    const auto at = to_string(from.position);
    for (const char* const sql :
         {"INSERT INTO pgchronicle.relation_shape (pipeline, relation_id, source_schema,"
          " source_table, lsn, columns, row_key, replica_identity, filled, earlier)"
          " SELECT $2, relation_id, source_schema, source_table, lsn, columns, row_key,"
          " replica_identity, filled, earlier FROM pgchronicle.relation_shape"
          " WHERE pipeline = $1 AND lsn <= $3::pg_lsn",
          "INSERT INTO pgchronicle.replay_shape (pipeline, relation_id, lsn, columns, filled,"
          " earlier) SELECT $2, relation_id, lsn, columns, filled, earlier"
          " FROM pgchronicle.relation_shape WHERE pipeline = $1 AND lsn > $3::pg_lsn",
          // What the history lacks from there on, the copy cannot make up for.
          "INSERT INTO pgchronicle.quarantine (pipeline, source_schema, source_table, relation_id,"
          " from_lsn, from_time, message, detail, hint, quarantined_at) SELECT $2, source_schema,"
          " source_table, relation_id, from_lsn, from_time, message, detail, hint, quarantined_at"
          " FROM pgchronicle.quarantine WHERE pipeline = $1 AND from_lsn <= $3::pg_lsn"}) {
        target.exec(sql, {live.pipeline, shadow.pipeline, at});
    }
    target.exec(
        "INSERT INTO pgchronicle.checkpoint (pipeline, system_identifier, timeline, database_name,"
        " slot, publications, slot_start, slot_start_time, last_commit_end, position,"
        " last_commit_time) SELECT $2, system_identifier, timeline, database_name, slot,"
        " publications, slot_start, slot_start_time, $4::pg_lsn, $3::pg_lsn,"
        " nullif($5, '')::timestamptz FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {live.pipeline, shadow.pipeline, at, to_string(from.last_commit_end), from.last_commit_time}
    );
    target.exec(
        "UPDATE pgchronicle.replay SET from_lsn = $2::pg_lsn, until_lsn = $3::pg_lsn"
        " WHERE pipeline = $1",
        {shadow.pipeline, at, to_string(until)}
    );
}

}  // namespace pgchronicle::history_writer::pg
