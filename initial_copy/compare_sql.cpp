#include "initial_copy/compare_sql.hpp"

#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::initial_copy {

using history_writer::HistoryTable;
using pq::quote_identifier;
using pq::quote_literal;

namespace {

std::string columns_of(const HistoryTable& table, const std::string& prefix) {
    std::string list;
    for (const auto& column : table.columns) {
        list += (list.empty() ? "" : ", ") + prefix + quote_identifier(column.name);
    }
    return list;
}

/// Stands for the values of a whole row.
std::string digest(const HistoryTable& table) {
    return "pg_catalog.md5(ROW(" + columns_of(table, "t.") + ")::text)::uuid";
}

/// Key columns as key_0, key_1, ...: names that no source column can clash with.
std::string keys_of(const HistoryTable& table) {
    std::string list;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        list +=
            fmt::format("t.{} AS key_{}, ", quote_identifier(table.columns[table.key[i]].name), i);
    }
    return list;
}

/// What rows are matched by: the key, or else the whole row and its number among its equals.
std::string match(const HistoryTable& table) {
    std::string condition;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        const auto& equals = table.columns[table.key[i]].equals;
        condition += fmt::format("{0}h.key_{1} {2} s.key_{1}", i == 0 ? "" : " AND ", i, equals);
    }
    return table.keyed ? condition : "h.whole = s.whole AND h.nth = s.nth";
}

/// Rows of `from` with where they are, their key, digest, and number among those of the same key.
std::string numbered(
    const HistoryTable& table,
    const std::string& from,
    const std::string& where,
    const std::string& order
) {
    std::string partition;
    for (const auto column : table.key) {
        partition +=
            (partition.empty() ? "t." : ", t.") + quote_identifier(table.columns[column].name);
    }
    return fmt::format(
        "SELECT t.ctid AS row_at, {}{} AS whole,"
        " pg_catalog.row_number() OVER (PARTITION BY {} ORDER BY {}) AS nth FROM {} t{}",
        keys_of(table),
        digest(table),
        table.keyed ? partition : digest(table),
        order,
        from,
        where
    );
}

}  // namespace

std::vector<std::string> compare_sql(
    const HistoryTable& table,
    const std::string& staging,
    history_writer::Operation operation,
    pgoutput::Lsn seam,
    const std::string& time
) {
    const auto& n = table.names;
    const auto name = history_writer::pg::qualified_name(table);
    const auto all_columns = history_writer::pg::column_list(table);
    const auto valid_to = quote_identifier(n.valid_to);
    const auto columns = columns_of(table, "");
    const auto* const comma = table.columns.empty() ? "" : ", ";
    const auto* const word = history_writer::name_of(operation);
    const auto at = quote_literal(time) + "::timestamptz";
    const auto lsn = fmt::format("'{}'::pg_lsn", to_string(seam));
    // A missed end leaves two open versions of one key: the newest counts, the others end.
    const auto newest_first = fmt::format(
        "t.{} DESC, t.{} DESC", quote_identifier(n.lsn_from), quote_identifier(n.change_seq)
    );
    const auto* const newest = table.keyed ? "h.nth = 1" : "true";
    return {
        "CREATE TEMP TABLE compared_open ON COMMIT DROP AS " +
            numbered(table, name, " WHERE t." + valid_to + " IS NULL", newest_first),
        "CREATE TEMP TABLE compared_staged ON COMMIT DROP AS " +
            numbered(table, staging, "", "t.ctid"),
        "ANALYZE pg_temp.compared_open; ANALYZE pg_temp.compared_staged",
        fmt::format(
            "CREATE TEMP TABLE compared_ended ON COMMIT DROP AS"
            " SELECT h.row_at, s.row_at IS NULL AND {0} AS gone FROM pg_temp.compared_open h"
            " LEFT JOIN pg_temp.compared_staged s ON {1}"
            " WHERE s.row_at IS NULL OR NOT {0} OR h.whole <> s.whole",
            newest,
            match(table)
        ),
        fmt::format(
            "CREATE TEMP TABLE compared_begun ON COMMIT DROP AS SELECT s.row_at"
            " FROM pg_temp.compared_staged s LEFT JOIN pg_temp.compared_open h ON {1} AND {0}"
            " WHERE h.row_at IS NULL OR h.whole <> s.whole",
            newest,
            match(table)
        ),
        fmt::format(
            "WITH ended AS (UPDATE {0} h SET {1} = {2}, {3} = false, {4} = {5}"
            " FROM pg_temp.compared_ended e WHERE h.ctid = e.row_at RETURNING h.*, e.gone AS {6})"
            " INSERT INTO {0} ({7}) SELECT {8}{9}{2}, {2}, false, '{10}', {5}, {5}, 0 FROM ended"
            " WHERE {6}",
            name,
            valid_to,
            at,
            quote_identifier(n.is_current),
            quote_identifier(n.lsn_to),
            lsn,
            quote_identifier("pgchronicle: the row is gone"),
            all_columns,
            columns,
            comma,
            word
        ),
        fmt::format(
            "INSERT INTO {0} ({1}) SELECT {2}{3}{4}, NULL, true, '{5}', {6}, NULL, 0 FROM {7} t"
            " WHERE t.ctid IN (SELECT row_at FROM pg_temp.compared_begun)",
            name,
            all_columns,
            columns,
            comma,
            at,
            word,
            lsn,
            staging
        )};
}

}  // namespace pgchronicle::initial_copy
