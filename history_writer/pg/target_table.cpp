#include "history_writer/pg/target_table.hpp"

#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace pgchronicle::history_writer::pg {

namespace {

/// Column name to type of an existing table; empty when there is none.
std::map<std::string, std::string>
existing_columns(pq::Connection& target, const HistoryTable& table) {
    const auto rows = target.exec(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
        {table.target_schema, table.target_table}
    );
    std::map<std::string, std::string> columns;
    for (int i = 0; i < rows.rows(); ++i) columns.emplace(rows.str(i, 0), rows.str(i, 1));
    return columns;
}

bool schema_exists(pq::Connection& target, const std::string& name) {
    return target.exec("SELECT 1 FROM pg_namespace WHERE nspname = $1", {name}).rows() == 1;
}

std::vector<std::string> key_names(const HistoryTable& table) {
    std::vector<std::string> names;
    for (const auto column : table.key) names.push_back(table.columns[column].name);
    return names;
}

void check_own_columns(
    const HistoryTable& table,
    const std::map<std::string, std::string>& existing
) {
    for (const auto& own :
         {table.names.valid_from,
          table.names.valid_to,
          table.names.is_current,
          table.names.operation_type,
          table.names.lsn_from,
          table.names.lsn_to,
          table.names.change_seq}) {
        if (existing.contains(own)) continue;
        throw TargetMismatch{
            fmt::format(
                "table \"{}.{}\" is not a history table", table.target_schema, table.target_table
            ),
            fmt::format("It has no column \"{}\".", own),
            "Rename that table, or give the history another schema or suffix."};
    }
}

/// Adds what the table lacks, and says whether that was anything; throws where a column has
/// another type.
bool add_columns(
    pq::Connection& target,
    const HistoryTable& table,
    const std::map<std::string, std::string>& existing
) {
    bool added = false;
    for (const auto& column : table.columns) {
        const auto found = existing.find(column.name);
        if (found == existing.end()) {
            target.exec(fmt::format(
                "ALTER TABLE {} ADD COLUMN {} {}",
                qualified_name(table),
                pq::quote_identifier(column.name),
                column.type_sql
            ));
            added = true;
        } else if (found->second != column.type_sql) {
            throw TargetMismatch{
                fmt::format(
                    "column \"{}\" of table \"{}.{}\" has another type than the source's",
                    column.name,
                    table.target_schema,
                    table.target_table
                ),
                fmt::format("It is {} there, and {} is due.", found->second, column.type_sql),
                "Alter the column in the target, then start again."};
        }
    }
    return added;
}

void store_state(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    const FirstState& first
) {
    target.exec(
        "INSERT INTO pgchronicle.table_state AS t (pipeline, source_schema, source_table,"
        " relation_id, target_schema, target_table, row_key, state, seam, consistent_from,"
        " seam_time) VALUES ($1, $2, $3, $4::oid, $5, $6, $7::text[], $8,"
        " nullif($9, '')::pg_lsn, nullif($9, '')::pg_lsn, CASE WHEN $9 <> '' THEN now() END)"
        " ON CONFLICT (pipeline, source_schema, source_table)"
        " DO UPDATE SET relation_id = excluded.relation_id",
        {pipeline,
         table.source_schema,
         table.source_table,
         std::to_string(static_cast<std::uint32_t>(table.relation)),
         table.target_schema,
         table.target_table,
         array_literal(key_names(table)),
         first.copied ? "copied" : "pending",
         first.copied ? to_string(first.consistent_from) : ""}
    );
}

void check_row_key(pq::Connection& target, const std::string& pipeline, const HistoryTable& table) {
    const auto row = target.exec(
        "SELECT row_key = $4::text[], array_to_string(row_key, ', ') FROM pgchronicle.table_state"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, table.source_schema, table.source_table, array_literal(key_names(table))}
    );
    if (row.rows() == 0 || row.boolean(0, 0)) return;
    throw TargetMismatch{
        fmt::format(
            "row key of table \"{}.{}\" has changed", table.source_schema, table.source_table
        ),
        fmt::format("Its history is kept by ({}).", row.text(0, 1)),
        "Restore the key on the source, or move the history table aside and start its history "
        "anew."};
}

/// The columns as relation_shape holds them.
std::string columns_json(const source_catalog::Table& source) {
    std::string columns = "[";
    for (const auto& column : source.columns) {
        columns += fmt::format(
            "{}{{\"name\": {}, \"type\": {}}}",
            columns.size() == 1 ? "" : ", ",
            json_string(column.name),
            json_string(column.type_sql)
        );
    }
    return columns + "]";
}

}  // namespace

TableState
read_table_state(pq::Connection& target, const std::string& pipeline, const HistoryTable& table) {
    const auto row = target.exec(
        "SELECT state, relation_id FROM pgchronicle.table_state"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, table.source_schema, table.source_table}
    );
    if (row.rows() == 0) return {};
    return {
        true,
        row.text(0, 0) == "copied",
        static_cast<pgoutput::RelationId>(static_cast<std::uint32_t>(row.int64(0, 1)))};
}

void ensure_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table,
    const FirstState& first
) {
    // A large transaction of the source may be open in the target: then this becomes part of it.
    const bool own_transaction = !target.in_transaction();
    if (own_transaction) target.exec("BEGIN");
    try {
        if (!schema_exists(target, table.target_schema)) {
            target.exec("CREATE SCHEMA " + pq::quote_identifier(table.target_schema));
        }
        bool changed = false;
        const auto existing = existing_columns(target, table);
        if (existing.empty()) {
            target.exec(create_table_sql(table));
            changed = true;
        } else {
            check_own_columns(table, existing);
            check_row_key(target, pipeline, table);
            changed = add_columns(target, table, existing);
        }
        if (changed) {
            target.exec("SET LOCAL check_function_bodies = off");
            for (const auto& sql : create_readers_sql(table)) target.exec(sql);
        }
        store_state(target, pipeline, table, first);
        if (first.copied) target.exec(create_index_sql(table));
        if (own_transaction) target.exec("COMMIT");
    } catch (...) {
        if (own_transaction && target.ok()) target.exec("ROLLBACK");
        throw;
    }
}

void fill_constant_default(
    pq::Connection& target,
    const HistoryTable& table,
    const std::string& column,
    const std::string& value
) {
    const auto name = pq::quote_identifier(column);
    const auto type = std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) {
        return c.name == column;
    });
    target.exec(
        fmt::format(
            "UPDATE {} SET {} = $1::{} WHERE {} IS NULL AND {} IS NULL",
            qualified_name(table),
            name,
            type->type_sql,
            pq::quote_identifier(table.names.valid_to),
            name
        ),
        {value}
    );
}

std::vector<std::string>
last_shape(pq::Connection& target, const std::string& pipeline, pgoutput::RelationId relation) {
    const auto rows = target.exec(
        "SELECT c->>'name' FROM (SELECT columns FROM pgchronicle.relation_shape"
        " WHERE pipeline = $1 AND relation_id = $2::oid ORDER BY lsn DESC LIMIT 1) s,"
        " jsonb_array_elements(s.columns) WITH ORDINALITY AS e(c, i) ORDER BY i",
        {pipeline, std::to_string(static_cast<std::uint32_t>(relation))}
    );
    std::vector<std::string> names;
    for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.str(i, 0));
    return names;
}

bool shape_unchanged(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table
) {
    const auto row = target.exec(
        "SELECT s.columns = $3::jsonb AND s.row_key = $4::text[] AND s.replica_identity = $5"
        " AND s.source_schema = $6 AND s.source_table = $7"
        " FROM pgchronicle.relation_shape s WHERE pipeline = $1 AND relation_id = $2::oid"
        " ORDER BY lsn DESC LIMIT 1",
        {pipeline,
         std::to_string(static_cast<std::uint32_t>(source.id)),
         columns_json(source),
         array_literal(key_names(table)),
         std::string(1, static_cast<char>(source.replica_identity)),
         source.schema_name,
         source.name}
    );
    return row.rows() == 1 && row.boolean(0, 0);
}

void record_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    pgoutput::Lsn lsn
) {
    if (shape_unchanged(target, pipeline, source, table)) return;
    target.exec(
        "INSERT INTO pgchronicle.relation_shape (pipeline, relation_id, source_schema,"
        " source_table, lsn, columns, row_key, replica_identity)"
        " VALUES ($1, $2::oid, $3, $4, $5::pg_lsn, $6::jsonb, $7::text[], $8)"
        " ON CONFLICT (pipeline, relation_id, lsn) DO UPDATE SET columns = excluded.columns,"
        " row_key = excluded.row_key, replica_identity = excluded.replica_identity,"
        " source_schema = excluded.source_schema, source_table = excluded.source_table",
        {pipeline,
         std::to_string(static_cast<std::uint32_t>(source.id)),
         source.schema_name,
         source.name,
         to_string(lsn),
         columns_json(source),
         array_literal(key_names(table)),
         std::string(1, static_cast<char>(source.replica_identity))}
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
