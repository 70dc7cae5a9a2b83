#include "history_writer/pg/sql_text.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

using pq::quote_identifier;
using pq::quote_literal;

namespace {

/// Per cent of a page that new rows fill. A version that is closed finds room for its new row on
/// its own page then, and no index hears of it (a heap-only update).
constexpr int fillfactor = 85;

/// An array cannot be an element of an array that unnest() takes apart: it travels as text.
bool travels_as_text(const std::string& key_type) {
    return key_type.ends_with("[]");
}

/// Key column i of the unnested keys, in its own type.
std::string unnested_key(const std::vector<std::string>& key_types, std::size_t i) {
    const auto name = fmt::format("k.k{}", i);
    return travels_as_text(key_types[i]) ? name + "::" + key_types[i] : name;
}

/// All of them, for messages.
std::string unnested_keys(const HistoryTable& table) {
    std::string keys;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        keys += fmt::format("{}k.k{}", i == 0 ? "" : ", ", i);
    }
    return keys;
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

std::string create_table_sql(const HistoryTable& table) {
    const Names n{table.names};
    std::string columns;
    for (const auto& column : table.columns) {
        columns +=
            fmt::format("{} {}, ", quote_identifier(column.name), collated_type(table, column));
    }
    return fmt::format(
        "CREATE TABLE {} ({}{} timestamptz NOT NULL, {} timestamptz, {} boolean NOT NULL,"
        " {} text NOT NULL, {} pg_lsn NOT NULL, {} pg_lsn, {} bigint NOT NULL)"
        " WITH (fillfactor = {})",
        qualified_name(table),
        columns,
        n.valid_from,
        n.valid_to,
        n.is_current,
        n.operation_type,
        n.lsn_from,
        n.lsn_to,
        n.change_seq,
        fillfactor
    );
}

std::string create_index_sql(const HistoryTable& table) {
    if (table.keyed) return create_key_index_sql(table);
    const Names n{table.names};
    return fmt::format(
        "CREATE INDEX IF NOT EXISTS {} ON {} ({}, {}, {})",
        quote_identifier(key_index_name(table)),
        qualified_name(table),
        row_hash(table, ""),
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
    // The one before the newest is open only where somebody has put a second open version there.
    // Then both are closed, so that the count tells; behind a newest that is closed, none is.
    const auto newest = newest_versions(
        table,
        fmt::format(
            "v.ctid AS row_at, v.{} IS NULL AS open, v.{} AS lsn, v.{} AS seq",
            n.valid_to,
            n.lsn_from,
            n.change_seq
        ),
        [&](std::size_t i) { return unnested_key(key_types, i); },
        2
    );
    return fmt::format(
        "UPDATE {} h SET {} = c.ended_at, {} = false, {} = c.ended_lsn"
        " FROM (SELECT o.row_at, k.ended_at, k.ended_lsn FROM {}"
        " CROSS JOIN LATERAL (SELECT v.row_at, v.open AND lag(v.open, 1, true)"
        " OVER (ORDER BY v.lsn DESC, v.seq DESC) AS open FROM ({}) v) o WHERE o.open) c"
        " WHERE h.ctid = c.row_at",
        qualified_name(table),
        n.valid_to,
        n.is_current,
        n.lsn_to,
        unnest(key_types, true),
        newest
    );
}

std::string doubled_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types) {
    const Names n{table.names};
    return fmt::format(
        "SELECT ROW({})::text FROM {} CROSS JOIN LATERAL (SELECT count(*) AS closed FROM ({}) v"
        " WHERE v.lsn_to = k.ended_lsn) o WHERE o.closed > 1 LIMIT 5",
        unnested_keys(table),
        unnest(key_types, true),
        newest_versions(
            table,
            fmt::format("v.{} AS lsn_to", n.lsn_to),
            [&](std::size_t i) { return unnested_key(key_types, i); },
            2
        )
    );
}

std::string missing_keys_sql(const HistoryTable& table, const std::vector<std::string>& key_types) {
    const Names n{table.names};
    return fmt::format(
        "SELECT ROW({})::text FROM {} LEFT JOIN LATERAL ({}) o ON true"
        " WHERE NOT coalesce(o.open, false) LIMIT 5",
        unnested_keys(table),
        unnest(key_types, false),
        newest_version(
            table,
            fmt::format("v.{} IS NULL AS open", n.valid_to),
            [&](std::size_t i) { return unnested_key(key_types, i); }
        )
    );
}

std::string end_versions_sql(const HistoryTable& table, Operation operation) {
    const Names n{table.names};
    return fmt::format(
        "WITH ended AS (UPDATE {name} SET {to} = $1::timestamptz, {current} = false,"
        " {lsn_to} = $2::pg_lsn WHERE {to} IS NULL RETURNING *), made AS ("
        " INSERT INTO {name} ({columns}) SELECT {sources}{comma}$1::timestamptz, $1::timestamptz,"
        " false, '{operation}', $2::pg_lsn, $2::pg_lsn, $3::bigint FROM ended RETURNING 1)"
        " SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM made)",
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
