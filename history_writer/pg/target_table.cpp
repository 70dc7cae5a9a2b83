#include "history_writer/pg/target_table.hpp"

#include "history_writer/pg/in_transaction.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/row_index.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "history_writer/retype_column.hpp"
#include "history_writer/table_failure.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace pgchronicle::history_writer::pg {

std::map<std::string, std::string>
existing_columns(pq::Connection& target, const TargetName& table) {
    const auto rows = target.exec(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
        {table.schema, table.table}
    );
    std::map<std::string, std::string> columns;
    for (int i = 0; i < rows.rows(); ++i) columns.emplace(rows.str(i, 0), rows.str(i, 1));
    return columns;
}

namespace {

TargetName name_of(const HistoryTable& table) {
    return {table.target_schema, table.target_table};
}

/// Nobody else's, and not left over from a pipeline whose metadata is lost.
void check_owner(pq::Connection& target, const std::string& pipeline, const HistoryTable& table) {
    const auto owners = target.exec(
        "SELECT pipeline, source_schema, source_table,"
        " (pipeline, source_schema, source_table) = ($3, $4, $5), imported"
        " FROM pgchronicle.table_state"
        " WHERE target_schema = $1 AND target_table = $2 AND state <> 'ended' ORDER BY 4",
        {table.target_schema, table.target_table, pipeline, table.source_schema, table.source_table}
    );
    const bool ours = owners.rows() > 0 && owners.boolean(0, 3);
    if (ours && owners.boolean(0, 4) == table.imported) return;
    const auto name = fmt::format("{}.{}", table.target_schema, table.target_table);
    if (ours) {
        throw TableFailure{
            table,
            fmt::format(
                "history table \"{}\" belongs to {} table",
                name,
                table.imported ? "a replicated" : "an imported"
            ),
            table.imported ? "A pipeline writes it."
                           : "Its rows come from files: \"pgchronicle import\" writes it.",
            "Give the table a target of its own in tables.overrides."};
    }
    if (owners.rows() > 0) {
        throw TargetMismatch{
            fmt::format("history table \"{}\" belongs to another source table", name),
            fmt::format(
                "Pipeline \"{}\" keeps the history of \"{}.{}\" there.",
                owners.str(0, 0),
                owners.str(0, 1),
                owners.str(0, 2)
            ),
            "Give this pipeline another target.schema or table_suffix, or the table a target of "
            "its own in tables.overrides."};
    }
    // A name that has ended may begin again.
    const auto known = target.exec(
        "SELECT FROM pgchronicle.table_state WHERE pipeline = $1 AND source_schema = $2"
        " AND source_table = $3 AND target_schema = $4 AND target_table = $5",
        {pipeline, table.source_schema, table.source_table, table.target_schema, table.target_table}
    );
    if (known.rows() > 0) return;
    if (target.exec(fmt::format("SELECT FROM {} LIMIT 1", qualified_name(table))).rows() == 0)
        return;
    throw TargetMismatch{
        fmt::format("history table \"{}\" holds rows of nobody", name),
        fmt::format("Pipeline \"{}\" does not know how they came there.", pipeline),
        "If the schema \"pgchronicle\" was lost, restore it with the history; else rename the "
        "table, "
        "and its history begins anew."};
}

void check_own_columns(
    const HistoryTable& table,
    const std::map<std::string, std::string>& existing
) {
    for (const auto& own : table.names.in_order()) {
        if (existing.contains(own)) continue;
        throw TableFailure{
            table,
            fmt::format(
                "table \"{}.{}\" is not a history table", table.target_schema, table.target_table
            ),
            fmt::format("It has no column \"{}\".", own),
            "Rename that table, or give the history another schema or suffix."};
    }
}

std::string reader_name(const HistoryTable& table, const char* suffix) {
    return pq::quote_qualified(table.target_schema, shortened(table.base_name + suffix));
}

[[noreturn]] void fail_for_type(
    const HistoryTable& table,
    const HistoryColumn& column,
    const std::string& role,
    const std::string& is,
    const std::string& why
) {
    auto sql = retype_column_sql({
        .table = qualified_name(table),
        .view = reader_name(table, "_current"),
        .column = pq::quote_identifier(column.name),
        .type_sql = column.type_sql,
        .is_current = pq::quote_identifier(table.names.is_current),
        .role = pq::quote_identifier(role),
    });
    std::ranges::replace(sql, '\n', ' ');  // A hint is one line.
    throw TableFailure{
        table,
        fmt::format(
            "column \"{}\" of table \"{}.{}\" has another type than the source's",
            column.name,
            table.target_schema,
            table.target_table
        ),
        fmt::format("It is {} there, and {} is due.{}", is, column.type_sql, why),
        "Alter the column in the target, then start again. Whoever may read the view must be "
        "granted "
        "that again. " +
            sql};
}

bool lacks_view(pq::Connection& target, const HistoryTable& table) {
    const auto view = reader_name(table, "_current");
    return target.exec("SELECT to_regclass($1) IS NULL", {view}).boolean(0, 0);
}

void widen(
    pq::Connection& target,
    const HistoryTable& table,
    const HistoryColumn& column,
    const std::string& from
) {
    const auto role = target.exec("SELECT current_user").str(0, 0);
    if (!widens(from, column.type_sql)) fail_for_type(table, column, role, from, "");
    try {
        // The view is made again with the other readers.
        target.exec("DROP VIEW IF EXISTS " + reader_name(table, "_current"));
        target.exec(fmt::format(
            "ALTER TABLE {} ALTER COLUMN {} TYPE {}",
            qualified_name(table),
            pq::quote_identifier(column.name),
            column.type_sql
        ));
    } catch (const pq::Error& error) {
        constexpr const char* dependent_objects_still_exist = "2BP01";
        constexpr const char* feature_not_supported = "0A000";
        if (error.sqlstate() != dependent_objects_still_exist &&
            error.sqlstate() != feature_not_supported) {
            throw;
        }
        fail_for_type(table, column, role, from, " It cannot be altered here: " + error.detail());
    }
}

/// Adds what the table lacks, and says whether anything changed.
bool bring_columns_up(
    pq::Connection& target,
    const HistoryTable& table,
    const std::map<std::string, std::string>& existing
) {
    bool changed = false;
    for (const auto& column : table.columns) {
        const auto found = existing.find(column.name);
        if (found == existing.end()) {
            target.exec(fmt::format(
                "ALTER TABLE {} ADD COLUMN {} {}",
                qualified_name(table),
                pq::quote_identifier(column.name),
                collated_type(table, column)
            ));
            changed = true;
        } else if (found->second != column.type_sql) {
            widen(target, table, column, found->second);
            changed = true;
        }
    }
    return changed;
}

void check_row_key(pq::Connection& target, const std::string& pipeline, const HistoryTable& table) {
    const auto row = target.exec(
        "SELECT row_key = $4::text[], array_to_string(row_key, ', ') FROM pgchronicle.table_state"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3",
        {pipeline, table.source_schema, table.source_table, array_literal(key_names(table))}
    );
    if (row.rows() == 0 || row.boolean(0, 0)) return;
    throw TableFailure{
        table,
        fmt::format(
            "row key of table \"{}.{}\" has changed", table.source_schema, table.source_table
        ),
        fmt::format("Its history is kept by ({}).", row.text(0, 1)),
        "Restore the key on the source, or move the history table aside and start its history "
        "anew."};
}

/// Collations that make different texts equal, for the key columns that have one.
void create_collations(pq::Connection& target, const HistoryTable& table) {
    for (const auto& column : table.columns) {
        if (!column.collation) continue;
        const auto& rules = column.collation->rules;
        target.exec(fmt::format(
            "CREATE COLLATION IF NOT EXISTS {} (provider = icu, locale = {}{}, deterministic = "
            "false)",
            pq::quote_qualified(table.target_schema, column.collation->name),
            pq::quote_literal(column.collation->locale),
            rules.empty() ? "" : ", rules = " + pq::quote_literal(rules)
        ));
    }
}

/// Sets a column of the open versions to an SQL expression over them.
void set_in_open_versions(
    pq::Connection& target,
    const HistoryTable& table,
    const std::string& column,
    const std::string& expression,
    std::span<const pq::Param> params = {}
) {
    target.exec(
        fmt::format(
            "UPDATE {} SET {} = {} WHERE {} IS NULL",
            qualified_name(table),
            pq::quote_identifier(column),
            expression,
            pq::quote_identifier(table.names.valid_to)
        ),
        params
    );
    require_untouched(target, table);
}

void rename_column(
    pq::Connection& target,
    const HistoryTable& table,
    const std::string& from,
    const std::string& to
) {
    target.exec(fmt::format(
        "ALTER TABLE {0} RENAME COLUMN {1} TO {2}",
        qualified_name(table),
        pq::quote_identifier(from),
        pq::quote_identifier(to)
    ));
    if (lacks_view(target, table)) return;
    target.exec(fmt::format(
        "ALTER VIEW {} RENAME COLUMN {} TO {}",
        reader_name(table, "_current"),
        pq::quote_identifier(from),
        pq::quote_identifier(to)
    ));
}

}  // namespace

std::vector<ShapeChange::Rename> rename_columns(
    pq::Connection& target,
    const HistoryTable& table,
    const std::vector<ShapeChange::Rename>& renames
) {
    const auto existing = existing_columns(target, name_of(table));
    std::vector<ShapeChange::Rename> copied;
    std::vector<std::pair<std::string, std::string>> second;
    for (const auto& rename : renames) {
        const bool leaves = std::ranges::any_of(renames, [&](const auto& other) {
            return other.from == rename.to;
        });
        if (!existing.contains(rename.from)) continue;
        if (existing.contains(rename.to) && !leaves) {
            copied.push_back(rename);
            continue;
        }
        const auto between = shortened("pgchronicle renames " + rename.from);
        rename_column(target, table, rename.from, between);
        second.emplace_back(between, rename.to);
    }
    for (const auto& [between, to] : second) rename_column(target, table, between, to);
    return copied;
}

std::vector<std::string> key_names(const HistoryTable& table) {
    std::vector<std::string> names;
    for (const auto column : table.key) names.push_back(table.columns[column].name);
    return names;
}

void ensure_schema(pq::Connection& target, const std::string& schema) {
    const auto there = target.exec("SELECT FROM pg_namespace WHERE nspname = $1", {schema});
    if (there.rows() == 1) return;
    try {
        target.exec("CREATE SCHEMA " + pq::quote_identifier(schema));
    } catch (const pq::Error& error) {
        constexpr const char* insufficient_privilege = "42501";
        if (error.sqlstate() != insufficient_privilege) throw;
        throw pq::Error{
            {.sqlstate = error.sqlstate(),
             .primary = error.primary(),
             .detail = "Schema \"" + schema + "\" is not there, and this role may not make it.",
             .hint = "Make it beforehand: sql/target/roles.sql, with -v schema.",
             .context = error.context()}};
    }
}

void check_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table
) {
    const auto existing = existing_columns(target, name_of(table));
    if (existing.empty()) return;
    check_own_columns(table, existing);
    check_owner(target, pipeline, table);
    check_row_key(target, pipeline, table);
}

void ensure_history_table(
    pq::Connection& target,
    const std::string& pipeline,
    const HistoryTable& table
) {
    in_transaction(target, [&] {
        ensure_schema(target, table.target_schema);
        bool changed = false;
        create_collations(target, table);
        const auto existing = existing_columns(target, name_of(table));
        if (existing.empty()) {
            target.exec(create_table_sql(table));
            changed = true;
        } else {
            check_own_columns(table, existing);
            check_owner(target, pipeline, table);
            check_row_key(target, pipeline, table);
            changed = bring_columns_up(target, table, existing) || lacks_view(target, table);
            renew_row_index(target, table);
        }
        if (!changed) return;
        target.exec("SET LOCAL check_function_bodies = off");
        for (const auto& sql : create_readers_sql(table)) target.exec(sql);
    });
}

void ensure_index(pq::Connection& target, const HistoryTable& table) {
    target.exec(create_index_sql(table));
}

bool follow_shape(
    pq::Connection& target,
    const std::string& pipeline,
    const source_catalog::Table& source,
    const HistoryTable& table,
    const ShapeChange& change,
    const std::set<std::string>& former
) {
    bool kept = false;
    const auto keeps = [&](const std::string& name) {
        const bool is_former = former.contains(name);
        kept = kept || is_former;
        return is_former;
    };
    in_transaction(target, [&] {
        const auto copied = rename_columns(target, table, change.renamed);
        const auto existing = existing_columns(target, name_of(table));
        ensure_history_table(target, pipeline, table);
        for (const auto& rename : copied) {
            if (keeps(rename.to)) continue;
            set_in_open_versions(target, table, rename.to, pq::quote_identifier(rename.from));
        }
        for (const auto i : change.gained) {
            if (table.kept[i] < 0) continue;
            const auto& column = table.columns[static_cast<std::size_t>(table.kept[i])];
            if (keeps(column.name)) continue;
            // ADD COLUMN with a constant default gives old rows a value without writing WAL.
            if (const auto& value = source.columns[i].constant_default) {
                const pq::Param param = pq::Param::text(*value);
                set_in_open_versions(
                    target, table, column.name, "$1::" + column.type_sql, {&param, 1}
                );
            } else if (existing.contains(column.name)) {
                set_in_open_versions(target, table, column.name, "NULL");
            }
        }
    });
    return kept;
}

}  // namespace pgchronicle::history_writer::pg
