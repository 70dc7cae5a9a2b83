#include "history_writer/pg/stage_sql.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;
using pq::quote_literal;

namespace {

/// PostgreSQL's limit. Source: manual, "PostgreSQL Limits".
constexpr std::size_t table_columns_max = 1600;

std::string rest_name(const std::string& stage) {
    return stage + "_rest";
}

/// The staged rows as the statements read them. All of the widest split one are 1,593 columns of
/// the source, and 42 more at most: within the 1,664 that a row may have on its way.
std::string staged_rows(const HistoryTable& table, const std::string& stage) {
    if (!stage_is_split(table)) return stage;
    return fmt::format(
        "(SELECT * FROM {} JOIN {} USING (pgchronicle_row))", stage, rest_name(stage)
    );
}

std::string
create_sql(const HistoryTable& table, const std::string& stage, const std::string& columns) {
    return fmt::format(
        "CREATE TEMP TABLE {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA",
        stage.substr(stage.find('.') + 1),
        columns,
        qualified_name(table)
    );
}

std::string copy_into_sql(const std::string& into, const std::string& columns, WireForm form) {
    return fmt::format("COPY {} ({}) FROM STDIN (FORMAT {})", into, columns, form_name(form));
}

/// The columns that tell what to do with a staged row.
std::string instructions(const HistoryTable& table) {
    std::string list = "pgchronicle_unknown, pgchronicle_nth";
    for (std::size_t i = 0; i < table.key.size(); ++i)
        list += fmt::format(", pgchronicle_base_{}", i);
    return list;
}

std::string add_instructions_sql(const HistoryTable& table, const std::string& stage) {
    std::string base;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        base +=
            fmt::format(", ADD pgchronicle_base_{} {}", i, table.columns[table.key[i]].type_sql);
    }
    return fmt::format(
        "ALTER TABLE {} ADD pgchronicle_unknown bytea, ADD pgchronicle_nth integer{}", stage, base
    );
}

}  // namespace

std::string stage_name(std::size_t number) {
    return fmt::format("pg_temp.pgchronicle_stage_{}", number);
}

std::size_t instruction_columns(const HistoryTable& table) {
    return 2 + table.key.size();
}

bool stage_is_split(const HistoryTable& table) {
    return table.columns.size() + own_columns + instruction_columns(table) > table_columns_max;
}

std::string create_stage_sql(const HistoryTable& table, const std::string& stage) {
    if (!stage_is_split(table)) {
        return create_sql(table, stage, column_list(table)) + "; " +
               add_instructions_sql(table, stage);
    }
    const auto rest = rest_name(stage);
    // The index is what joins them: this connection has no hash and merge joins.
    return fmt::format(
        "{}; ALTER TABLE {} ADD pgchronicle_row integer; {}; {}, ADD pgchronicle_row integer;"
        " CREATE INDEX ON {} (pgchronicle_row)",
        create_sql(table, stage, source_columns(table, "")),
        stage,
        create_sql(table, rest, own_column_list(table)),
        add_instructions_sql(table, rest),
        rest
    );
}

std::string empty_stage_sql(const HistoryTable& table, const std::string& stage) {
    const auto empty = "DELETE FROM " + stage;
    return stage_is_split(table) ? empty + "; DELETE FROM " + rest_name(stage) : empty;
}

std::string drop_stage_sql(const HistoryTable& table, const std::string& stage) {
    const auto drop = "DROP TABLE " + stage;
    return stage_is_split(table) ? drop + ", " + rest_name(stage) : drop;
}

std::string copy_stage_sql(const HistoryTable& table, const std::string& stage, WireForm form) {
    return copy_into_sql(
        stage,
        stage_is_split(table) ? source_columns(table, "") + ", pgchronicle_row"
                              : column_list(table) + ", " + instructions(table),
        form
    );
}

std::string copy_rest_sql(const HistoryTable& table, const std::string& stage, WireForm form) {
    return copy_into_sql(
        rest_name(stage),
        own_column_list(table) + ", " + instructions(table) + ", pgchronicle_row",
        form
    );
}

std::string fill_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto name = quote_identifier(table.columns[i].name);
        columns += fmt::format(
            "CASE WHEN pg_catalog.get_bit(s.pgchronicle_unknown, {}) = 1 THEN b.{} ELSE s.{} END, ",
            i,
            name,
            name
        );
    }
    return fmt::format(
        "INSERT INTO {} ({}) SELECT {}s.{}, s.{}, s.{}, s.{}, s.{}, s.{}, s.{} FROM {} s"
        " LEFT JOIN LATERAL ({}) b ON true{}",
        qualified_name(table),
        column_list(table),
        columns,
        n.valid_from,
        n.valid_to,
        n.is_current,
        n.operation_type,
        n.lsn_from,
        n.lsn_to,
        n.change_seq,
        staged_rows(table, stage),
        newest_version(
            table, "v.*", [](std::size_t i) { return fmt::format("s.pgchronicle_base_{}", i); }
        ),
        table.below_seam || table.on_unknown_key == config::OnUnknownKey::open
            ? ""
            : fmt::format(" WHERE s.pgchronicle_nth < 0 OR b.{} IS NOT NULL", n.lsn_from)
    );
}

std::string unchanged_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string staged;
    std::string stored;
    std::string overwritten;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto name = quote_identifier(table.columns[i].name);
        const auto value = fmt::format(
            "CASE WHEN pg_catalog.get_bit(s.pgchronicle_unknown, {}) = 1 THEN b.{} ELSE s.{} END",
            i,
            name,
            name
        );
        if (table.columns[i].tracked) {
            staged += (staged.empty() ? "" : ", ") + value;
            stored += (stored.empty() ? "b." : ", b.") + name;
        } else {
            overwritten += (overwritten.empty() ? "" : ", ") + name + " = " + value;
        }
    }
    // The one name that no column of the source can have.
    const auto open = newest_version(table, "v.ctid AS ctid, v.*", [](std::size_t i) {
        return fmt::format("s.pgchronicle_base_{}", i);
    });
    const auto same =
        fmt::format("b.{} IS NULL AND ROW({})::text = ROW({})::text", n.valid_to, staged, stored);
    if (overwritten.empty()) {
        return fmt::format(
            "SELECT s.pgchronicle_nth FROM {} s CROSS JOIN LATERAL ({}) b WHERE {}",
            staged_rows(table, stage),
            open,
            same
        );
    }
    return fmt::format(
        "UPDATE {} h SET {} FROM {} s CROSS JOIN LATERAL ({}) b WHERE h.ctid = b.ctid AND {}"
        " RETURNING s.pgchronicle_nth",
        qualified_name(table),
        overwritten,
        staged_rows(table, stage),
        open,
        same
    );
}

std::string pending_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string base_key;
    std::string names;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        base_key += fmt::format("{}s.pgchronicle_base_{}::text", i == 0 ? "" : ", ", i);
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        names +=
            fmt::format("{}({}, {})", i == 0 ? "" : ", ", i, quote_literal(table.columns[i].name));
    }
    // A column stays unknown where the base does not exist, or is itself still waiting for it.
    return fmt::format(
        "INSERT INTO pgchronicle.pending_value"
        " SELECT $1, {schema}, {table}, {key}, s.{lsn}, s.{seq}, array_agg(c.name ORDER BY c.i)"
        " FROM {stage} s CROSS JOIN (VALUES {names}) AS c(i, name)"
        " LEFT JOIN LATERAL ({base}) b ON true"
        " WHERE pg_catalog.get_bit(s.pgchronicle_unknown, c.i) = 1 AND (b.{lsn} IS NULL OR EXISTS"
        " (SELECT FROM pgchronicle.pending_value p WHERE p.pipeline = $1"
        " AND p.target_schema = {schema} AND p.target_table = {table}"
        " AND p.row_key = ARRAY[{base_key}] AND p.lsn_from = b.{lsn} AND p.change_seq = b.{seq}"
        " AND c.name = ANY (p.columns)))"
        " GROUP BY {key}, s.{lsn}, s.{seq}",
        fmt::arg("schema", quote_literal(table.target_schema)),
        fmt::arg("table", quote_literal(table.target_table)),
        fmt::arg("key", key_text(table, "s.")),
        fmt::arg("base_key", base_key),
        fmt::arg("lsn", n.lsn_from),
        fmt::arg("seq", n.change_seq),
        fmt::arg("stage", staged_rows(table, stage)),
        fmt::arg("names", names),
        fmt::arg(
            "base",
            newest_version(
                table,
                fmt::format("v.{}, v.{}", n.lsn_from, n.change_seq),
                [](std::size_t i) { return fmt::format("s.pgchronicle_base_{}", i); }
            )
        )
    );
}

std::string unknown_values_sql(const HistoryTable& table) {
    return fmt::format(
        "INSERT INTO pgchronicle.gap (pipeline, source_schema, source_table, from_lsn, to_lsn,"
        " reason, detail) SELECT $1, {source_schema}, {source_table}, $2::pg_lsn, $3::pg_lsn,"
        " 'value_unknown', pg_catalog.format('%s versions hold NULL for values that were not"
        " sent and that nobody knows; the first: key %s, columns %s', count(*),"
        " (pg_catalog.array_agg(p.row_key::text ORDER BY p.lsn_from, p.change_seq))[1],"
        " (pg_catalog.array_agg(p.columns::text ORDER BY p.lsn_from, p.change_seq))[1])"
        " FROM pgchronicle.pending_value p WHERE p.pipeline = $1 AND p.target_schema = {schema}"
        " AND p.target_table = {table} AND p.columns <> '{{}}' HAVING count(*) > 0",
        fmt::arg("source_schema", quote_literal(table.source_schema)),
        fmt::arg("source_table", quote_literal(table.source_table)),
        fmt::arg("schema", quote_literal(table.target_schema)),
        fmt::arg("table", quote_literal(table.target_table))
    );
}

std::string insert_unseen_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string open;
    if (table.keyed) {
        open = fmt::format(
            "coalesce((SELECT o.open FROM ({}) o), false)",
            newest_version(
                table,
                fmt::format("v.{} IS NULL AS open", n.valid_to),
                [](std::size_t i) { return fmt::format("s.pgchronicle_base_{}", i); }
            )
        );
    } else {
        open = fmt::format(
            "(SELECT count(*) FROM {} v WHERE {} = {} AND {}::text = {}::text AND v.{} IS NULL) > "
            "s.pgchronicle_nth",
            qualified_name(table),
            row_hash(table, "v."),
            row_hash(table, "s."),
            row_of(table, "v."),
            row_of(table, "s."),
            n.valid_to
        );
    }
    return fmt::format(
        "INSERT INTO {} ({}) SELECT {} FROM {} s WHERE NOT {}",
        qualified_name(table),
        column_list(table),
        column_list(table),
        staged_rows(table, stage),
        open
    );
}

std::string close_staged_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    return fmt::format(
        "UPDATE {name} h SET {to} = c.ended_at, {current} = false, {lsn_to} = c.ended_lsn"
        " FROM (SELECT o.row_at, s.{to} AS ended_at, s.{lsn_to} AS ended_lsn FROM {stage} s"
        " CROSS JOIN LATERAL (SELECT v.ctid AS row_at FROM {name} v"
        " WHERE {v_hash} = {s_hash} AND {v}::text = {s}::text"
        " AND v.{to} IS NULL ORDER BY v.{lsn} DESC, v.{seq} DESC, v.ctid"
        " LIMIT 1 OFFSET s.pgchronicle_nth) o) c WHERE h.ctid = c.row_at",
        fmt::arg("name", qualified_name(table)),
        fmt::arg("to", n.valid_to),
        fmt::arg("current", n.is_current),
        fmt::arg("lsn_to", n.lsn_to),
        fmt::arg("lsn", n.lsn_from),
        fmt::arg("seq", n.change_seq),
        fmt::arg("stage", staged_rows(table, stage)),
        fmt::arg("v_hash", row_hash(table, "v.")),
        fmt::arg("s_hash", row_hash(table, "s.")),
        fmt::arg("v", row_of(table, "v.")),
        fmt::arg("s", row_of(table, "s."))
    );
}

}  // namespace pgchronicle::history_writer::pg
