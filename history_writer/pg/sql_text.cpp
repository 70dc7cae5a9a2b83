#include "history_writer/pg/sql_text.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;
using pq::quote_literal;

namespace {

/// Our own columns, quoted, under the names the configuration gives them.
struct Names {
    explicit Names(const config::HistoryColumnNames& names)
        : valid_from{quote_identifier(names.valid_from)},
          valid_to{quote_identifier(names.valid_to)},
          is_current{quote_identifier(names.is_current)},
          operation_type{quote_identifier(names.operation_type)},
          lsn_from{quote_identifier(names.lsn_from)},
          lsn_to{quote_identifier(names.lsn_to)},
          change_seq{quote_identifier(names.change_seq)} {}

    std::string valid_from;
    std::string valid_to;
    std::string is_current;
    std::string operation_type;
    std::string lsn_from;
    std::string lsn_to;
    std::string change_seq;
};

/// "a", "b" with a prefix before each: source columns only.
std::string source_columns(const HistoryTable& table, const std::string& prefix) {
    std::string list;
    for (const auto& column : table.columns) {
        if (!list.empty()) list += ", ";
        list += prefix + quote_identifier(column.name);
    }
    return list;
}

/// The newest version of a key, by a backward scan that stops at its first row. `key(i)` is the
/// SQL of key column i's value.
template <typename Key>
std::string newest_version(const HistoryTable& table, const std::string& select, Key key) {
    const Names n{table.names};
    return fmt::format(
        "SELECT {} FROM {} v WHERE {} ORDER BY v.{} DESC, v.{} DESC LIMIT 1",
        select,
        qualified_name(table),
        key_matches(table, "v.", key),
        n.lsn_from,
        n.change_seq
    );
}

/// An array cannot be an element of an array that unnest() takes apart: it travels as text.
bool travels_as_text(const std::string& key_type) {
    return key_type.ends_with("[]");
}

/// Key column i of the unnested keys, in its own type.
std::string unnested_key(const std::vector<std::string>& key_types, std::size_t i) {
    const auto name = fmt::format("k.k{}", i);
    return travels_as_text(key_types[i]) ? name + "::" + key_types[i] : name;
}

std::string unnest(const std::vector<std::string>& key_types, bool with_ends) {
    std::string arguments;
    std::string names;
    std::size_t number = 0;
    for (const auto& type : key_types) {
        ++number;
        arguments += fmt::format(
            "{}${}::{}[]", number == 1 ? "" : ", ", number, travels_as_text(type) ? "text" : type
        );
        names += fmt::format("{}k{}", number == 1 ? "" : ", ", number - 1);
    }
    if (with_ends) {
        arguments += fmt::format(", ${}::timestamptz[], ${}::pg_lsn[]", number + 1, number + 2);
        names += ", ended_at, ended_lsn";
    }
    return fmt::format("unnest({}) AS k({})", arguments, names);
}

}  // namespace

std::string qualified_name(const HistoryTable& table) {
    return pq::quote_qualified(table.target_schema, table.target_table);
}

std::string row_of(const HistoryTable& table, const std::string& prefix) {
    return "ROW(" + source_columns(table, prefix) + ")";
}

std::string key_text(const HistoryTable& table, const std::string& prefix) {
    std::string list;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        list += fmt::format("{}{}{}::text", i == 0 ? "" : ", ", prefix, key_column(table, i));
    }
    return "ARRAY[" + list + "]";
}

std::string create_table_sql(const HistoryTable& table) {
    const Names n{table.names};
    std::string columns;
    for (const auto& column : table.columns) {
        columns += fmt::format("{} {}, ", quote_identifier(column.name), column.type_sql);
    }
    return fmt::format(
        "CREATE TABLE {} ({}{} timestamptz NOT NULL, {} timestamptz, {} boolean NOT NULL,"
        " {} text NOT NULL, {} pg_lsn NOT NULL, {} pg_lsn, {} bigint NOT NULL)",
        qualified_name(table),
        columns,
        n.valid_from,
        n.valid_to,
        n.is_current,
        n.operation_type,
        n.lsn_from,
        n.lsn_to,
        n.change_seq
    );
}

std::string create_index_sql(const HistoryTable& table) {
    if (table.keyed) return create_key_index_sql(table);
    const Names n{table.names};
    return fmt::format(
        "CREATE INDEX IF NOT EXISTS {} ON {} (pgchronicle.row_hash({}), {}, {})",
        quote_identifier(key_index_name(table)),
        qualified_name(table),
        row_of(table, ""),
        n.lsn_from,
        n.change_seq
    );
}

std::vector<std::string> create_readers_sql(const HistoryTable& table) {
    const Names n{table.names};
    const auto reader = [&](const char* suffix) {
        return pq::quote_qualified(table.target_schema, shortened(table.base_name + suffix));
    };
    const auto name = qualified_name(table);
    const auto function =
        [&](const char* suffix, const char* type, const std::string& from, const std::string& to) {
            const auto body = fmt::format(
                "SELECT h.* FROM {} h WHERE (SELECT pgchronicle.require_consistent({}, {}, $1))"
                " AND h.{} <= $1 AND (h.{} > $1 OR h.{} IS NULL)",
                name,
                quote_literal(table.target_schema),
                quote_literal(table.target_table),
                from,
                to,
                to
            );
            return fmt::format(
                "CREATE OR REPLACE FUNCTION {}({}) RETURNS SETOF {} LANGUAGE sql STABLE"
                " PARALLEL SAFE AS {}",
                reader(suffix),
                type,
                name,
                quote_literal(body)
            );
        };
    return {
        fmt::format(
            "CREATE OR REPLACE VIEW {} AS SELECT * FROM {} WHERE {}",
            reader("_current"),
            name,
            n.is_current
        ),
        function("_as_of", "timestamptz", n.valid_from, n.valid_to),
        function("_as_of_lsn", "pg_lsn", n.lsn_from, n.lsn_to),
    };
}

std::string column_list(const HistoryTable& table) {
    const Names n{table.names};
    return fmt::format(
        "{}{}{}, {}, {}, {}, {}, {}, {}",
        source_columns(table, ""),
        table.columns.empty() ? "" : ", ",
        n.valid_from,
        n.valid_to,
        n.is_current,
        n.operation_type,
        n.lsn_from,
        n.lsn_to,
        n.change_seq
    );
}

namespace {

const char* form_name(WireForm form) {
    return form == WireForm::binary ? "binary" : "text";
}

}  // namespace

std::string copy_sql(const HistoryTable& table, WireForm form) {
    return fmt::format(
        "COPY {} ({}) FROM STDIN (FORMAT {})",
        qualified_name(table),
        column_list(table),
        form_name(form)
    );
}

std::string close_sql(const HistoryTable& table, const std::vector<std::string>& key_types) {
    const Names n{table.names};
    return fmt::format(
        "UPDATE {} h SET {} = c.ended_at, {} = false, {} = c.ended_lsn"
        " FROM (SELECT o.row_at, k.ended_at, k.ended_lsn FROM {}"
        " CROSS JOIN LATERAL ({}) o WHERE o.open) c WHERE h.ctid = c.row_at",
        qualified_name(table),
        n.valid_to,
        n.is_current,
        n.lsn_to,
        unnest(key_types, true),
        newest_version(
            table,
            fmt::format("v.ctid AS row_at, v.{} IS NULL AS open", n.valid_to),
            [&](std::size_t i) { return unnested_key(key_types, i); }
        )
    );
}

std::string missing_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types) {
    const Names n{table.names};
    std::string keys;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        keys += fmt::format("{}k.k{}", i == 0 ? "" : ", ", i);
    }
    return fmt::format(
        "SELECT ROW({})::text FROM {} LEFT JOIN LATERAL ({}) o ON true"
        " WHERE NOT coalesce(o.open, false) LIMIT 5",
        keys,
        unnest(key_types, false),
        newest_version(
            table,
            fmt::format("v.{} IS NULL AS open", n.valid_to),
            [&](std::size_t i) { return unnested_key(key_types, i); }
        )
    );
}

std::string stage_name(std::size_t number) {
    return fmt::format("pg_temp.pgchronicle_stage_{}", number);
}

std::string create_stage_sql(const HistoryTable& table, const std::string& stage) {
    std::string base;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        base += fmt::format(", ADD stage_base_{} {}", i, table.columns[table.key[i]].type_sql);
    }
    return fmt::format(
        "CREATE TEMP TABLE {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA;"
        " ALTER TABLE {} ADD stage_unknown bytea, ADD stage_nth integer{}",
        stage.substr(stage.find('.') + 1),
        column_list(table),
        qualified_name(table),
        stage,
        base
    );
}

std::string copy_stage_sql(const HistoryTable& table, const std::string& stage, WireForm form) {
    std::string base;
    for (std::size_t i = 0; i < table.key.size(); ++i) base += fmt::format(", stage_base_{}", i);
    return fmt::format(
        "COPY {} ({}, stage_unknown, stage_nth{}) FROM STDIN (FORMAT {})",
        stage,
        column_list(table),
        base,
        form_name(form)
    );
}

std::string fill_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto name = quote_identifier(table.columns[i].name);
        columns += fmt::format(
            "CASE WHEN pg_catalog.get_bit(s.stage_unknown, {}) = 1 THEN b.{} ELSE s.{} END, ",
            i,
            name,
            name
        );
    }
    return fmt::format(
        "INSERT INTO {} ({}) SELECT {}s.{}, s.{}, s.{}, s.{}, s.{}, s.{}, s.{} FROM {} s"
        " {} JOIN LATERAL ({}) b ON true",
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
        stage,
        table.below_seam || table.on_unknown_key == config::OnUnknownKey::open ? "LEFT" : "INNER",
        newest_version(
            table, "v.*", [](std::size_t i) { return fmt::format("s.stage_base_{}", i); }
        )
    );
}

std::string unchanged_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string staged;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto name = quote_identifier(table.columns[i].name);
        staged += fmt::format(
            "{}CASE WHEN pg_catalog.get_bit(s.stage_unknown, {}) = 1 THEN b.{} ELSE s.{} END",
            i == 0 ? "" : ", ",
            i,
            name,
            name
        );
    }
    return fmt::format(
        "SELECT s.stage_nth FROM {} s CROSS JOIN LATERAL ({}) b"
        " WHERE b.{} IS NULL AND ROW({})::text = {}::text",
        stage,
        newest_version(
            table, "v.*", [](std::size_t i) { return fmt::format("s.stage_base_{}", i); }
        ),
        n.valid_to,
        staged,
        row_of(table, "b.")
    );
}

std::string pending_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    std::string base_key;
    std::string names;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        base_key += fmt::format("{}s.stage_base_{}::text", i == 0 ? "" : ", ", i);
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
        " WHERE pg_catalog.get_bit(s.stage_unknown, c.i) = 1 AND (b.{lsn} IS NULL OR EXISTS"
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
        fmt::arg("stage", stage),
        fmt::arg("names", names),
        fmt::arg(
            "base",
            newest_version(
                table,
                fmt::format("v.{}, v.{}", n.lsn_from, n.change_seq),
                [](std::size_t i) { return fmt::format("s.stage_base_{}", i); }
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
                [](std::size_t i) { return fmt::format("s.stage_base_{}", i); }
            )
        );
    } else {
        open = fmt::format(
            "(SELECT count(*) FROM {} v WHERE pgchronicle.row_hash({}) = pgchronicle.row_hash({})"
            " AND {}::text = {}::text AND v.{} IS NULL) > s.stage_nth",
            qualified_name(table),
            row_of(table, "v."),
            row_of(table, "s."),
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
        stage,
        open
    );
}

std::string close_staged_sql(const HistoryTable& table, const std::string& stage) {
    const Names n{table.names};
    return fmt::format(
        "UPDATE {name} h SET {to} = c.ended_at, {current} = false, {lsn_to} = c.ended_lsn"
        " FROM (SELECT o.row_at, s.{to} AS ended_at, s.{lsn_to} AS ended_lsn FROM {stage} s"
        " CROSS JOIN LATERAL (SELECT v.ctid AS row_at FROM {name} v"
        " WHERE pgchronicle.row_hash({v}) = pgchronicle.row_hash({s}) AND {v}::text = {s}::text"
        " AND v.{to} IS NULL ORDER BY v.{lsn} DESC, v.{seq} DESC, v.ctid"
        " LIMIT 1 OFFSET s.stage_nth) o) c WHERE h.ctid = c.row_at",
        fmt::arg("name", qualified_name(table)),
        fmt::arg("to", n.valid_to),
        fmt::arg("current", n.is_current),
        fmt::arg("lsn_to", n.lsn_to),
        fmt::arg("lsn", n.lsn_from),
        fmt::arg("seq", n.change_seq),
        fmt::arg("stage", stage),
        fmt::arg("v", row_of(table, "v.")),
        fmt::arg("s", row_of(table, "s."))
    );
}

std::string end_versions_sql(const HistoryTable& table, Operation operation) {
    const Names n{table.names};
    return fmt::format(
        "WITH ended AS (UPDATE {name} SET {to} = $1::timestamptz, {current} = false,"
        " {lsn_to} = $2::pg_lsn WHERE {to} IS NULL RETURNING *)"
        " INSERT INTO {name} ({columns}) SELECT {sources}{comma}$1::timestamptz, $1::timestamptz,"
        " false, '{operation}', $2::pg_lsn, $2::pg_lsn, $3::bigint FROM ended",
        fmt::arg("name", qualified_name(table)),
        fmt::arg("to", n.valid_to),
        fmt::arg("current", n.is_current),
        fmt::arg("lsn_to", n.lsn_to),
        fmt::arg("columns", column_list(table)),
        fmt::arg("sources", source_columns(table, "")),
        fmt::arg("comma", table.columns.empty() ? "" : ", "),
        fmt::arg("operation", history_writer::name_of(operation))
    );
}

}  // namespace pgchronicle::history_writer::pg
