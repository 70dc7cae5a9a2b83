#include "initial_copy/copy_sql.hpp"

#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::initial_copy {

using history_writer::pg::column_list;
using history_writer::pg::key_text;
using history_writer::pg::qualified_name;
using history_writer::pg::row_hash;
using history_writer::pg::row_of;
using pq::quote_identifier;
using pq::quote_literal;

namespace {

std::string
key_equals(const HistoryTable& table, const std::string& left, const std::string& right) {
    std::string condition;
    for (const auto column : table.key) {
        const auto name = quote_identifier(table.columns[column].name);
        condition += fmt::format(
            "{}{}{} {} {}{}",
            condition.empty() ? "" : " AND ",
            left,
            name,
            table.columns[column].equals,
            right,
            name
        );
    }
    return condition;
}

}  // namespace

std::string copy_out_sql(
    const source_catalog::Table& source,
    const HistoryTable& table,
    const SnapshotStamp& stamp,
    const std::optional<BlockRange>& range
) {
    std::string columns;
    for (const auto& column : table.columns) {
        columns += fmt::format(
            "t.{}{}, ", quote_identifier(column.source_name), column.stored_as_text ? "::text" : ""
        );
    }
    if (stamp.commit_times) {
        columns += fmt::format(
            "LEAST(pg_catalog.pg_xact_commit_timestamp(t.xmin), {}::timestamptz), ",
            quote_literal(stamp.time)
        );
    }
    if (!columns.empty()) columns.erase(columns.size() - 2);
    std::string where;
    const auto also = [&](const std::string& condition) {
        where += (where.empty() ? " WHERE " : " AND ") + condition;
    };
    if (range) {
        also(fmt::format("t.ctid >= '({},0)'::tid", range->from));
        if (range->to != 0) also(fmt::format("t.ctid < '({},0)'::tid", range->to));
    }
    if (source.row_filter) also("(" + *source.row_filter + ")");
    constexpr char partitioned = 'p';
    return fmt::format(
        "COPY (SELECT {} FROM {}{} t{}) TO STDOUT (FORMAT binary)",
        columns,
        source.kind == partitioned ? "" : "ONLY ",
        pq::quote_qualified(source.schema_name, source.name),
        where
    );
}

std::string stamp_sql(const SnapshotStamp& stamp) {
    return fmt::format(
        "COPY (SELECT {}NULL::timestamptz, true, 'SNAPSHOT'::text, '{}'::pg_lsn, NULL::pg_lsn,"
        " 0::bigint) TO STDOUT (FORMAT binary)",
        stamp.commit_times ? "" : quote_literal(stamp.time) + "::timestamptz, ",
        to_string(stamp.seam)
    );
}

std::string copy_in_sql(const HistoryTable& table, const std::string& into) {
    return fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", into, column_list(table));
}

std::string staging_name(const HistoryTable& table, const std::string& pipeline) {
    const auto name =
        fmt::format("copy_{}_{}", static_cast<std::uint32_t>(table.relation), pipeline);
    return pq::quote_qualified("pgchronicle", history_writer::shortened(name));
}

std::string create_staging_sql(const HistoryTable& table, const std::string& staging) {
    return fmt::format(
        "DROP TABLE IF EXISTS {0}; CREATE UNLOGGED TABLE {0} AS SELECT {1} FROM {2} WITH NO DATA",
        staging,
        column_list(table),
        qualified_name(table)
    );
}

std::string merge_sql(const HistoryTable& table, const std::string& staging) {
    const auto columns = column_list(table);
    if (table.keyed) {
        return fmt::format(
            "INSERT INTO {0} ({1}) SELECT {1} FROM {2} s WHERE NOT EXISTS"
            " (SELECT FROM {0} h WHERE {3} AND h.{4} IS NULL)",
            qualified_name(table),
            columns,
            staging,
            key_equals(table, "h.", "s."),
            quote_identifier(table.names.valid_to)
        );
    }
    // Of identical rows, as many as the stream has open are known already.
    return fmt::format(
        "INSERT INTO {0} ({1}) SELECT {1} FROM (SELECT s.*, pg_catalog.row_number() OVER"
        " (PARTITION BY {2}::text) AS pgchronicle_number FROM {3} s) s WHERE pgchronicle_number >"
        " (SELECT count(*) FROM {0} h WHERE {6} = {7} AND {4}::text = {2}::text AND h.{5} IS NULL)",
        qualified_name(table),
        columns,
        row_of(table, "s."),
        staging,
        row_of(table, "h."),
        quote_identifier(table.names.valid_to),
        row_hash(table, "h."),
        row_hash(table, "s.")
    );
}

std::string find_resolvable_sql(const HistoryTable& table, const std::string& pipeline) {
    // What the copy holds is the value of the version that is open at the seam. It is an older
    // version's too if nothing in between changed the column: then the open one waits for it. Not
    // beyond a tombstone, though: before it, the key was another row's.
    return fmt::format(
        "CREATE TEMP TABLE resolvable ON COMMIT DROP AS SELECT p.row_key, c.name,"
        " coalesce(e.{lsn}, '0/0') AS ended_lsn, coalesce(e.{seq}, 0) AS ended_seq"
        " FROM pgchronicle.pending_value p"
        " JOIN {history} o ON o.{lsn} = p.lsn_from AND o.{seq} = p.change_seq AND {key} = p.row_key"
        " LEFT JOIN LATERAL (SELECT v.{lsn}, v.{seq} FROM {history} v WHERE {keys}"
        " AND (v.{operation} IN ('DELETE', 'TRUNCATE', 'REKEY') OR v.{operation} IN ('RECONCILE',"
        " 'REWRITE') AND v.{lsn_to} = v.{lsn})"
        " ORDER BY v.{lsn} DESC, v.{seq} DESC LIMIT 1) e ON true"
        " CROSS JOIN LATERAL unnest(p.columns) AS c(name)"
        " WHERE o.{to} IS NULL AND p.pipeline = {pipeline} AND p.target_schema = {schema}"
        " AND p.target_table = {table}",
        fmt::arg("history", qualified_name(table)),
        fmt::arg("lsn", quote_identifier(table.names.lsn_from)),
        fmt::arg("seq", quote_identifier(table.names.change_seq)),
        fmt::arg("operation", quote_identifier(table.names.operation_type)),
        fmt::arg("to", quote_identifier(table.names.valid_to)),
        fmt::arg("lsn_to", quote_identifier(table.names.lsn_to)),
        fmt::arg("key", key_text(table, "o.")),
        fmt::arg("keys", key_equals(table, "v.", "o.")),
        fmt::arg("pipeline", quote_literal(pipeline)),
        fmt::arg("schema", quote_literal(table.target_schema)),
        fmt::arg("table", quote_literal(table.target_table))
    );
}

namespace {

/// Of pending_value p and resolvable r: whether p's version is of the row that is open.
constexpr const char* same_lifetime = "(p.lsn_from, p.change_seq) > (r.ended_lsn, r.ended_seq)";

}  // namespace

std::string
fill_pending_sql(const HistoryTable& table, const std::string& staging, std::size_t column) {
    return fmt::format(
        "UPDATE {history} h SET {column} = s.{column} FROM pgchronicle.pending_value p"
        " JOIN pg_temp.resolvable r ON r.row_key = p.row_key AND r.name = {literal}"
        " JOIN {staging} s ON {key_text} = p.row_key"
        " WHERE p.pipeline = $1 AND p.target_schema = {schema} AND p.target_table = {table}"
        " AND {literal} = ANY (p.columns) AND {same_lifetime} AND {keys}"
        " AND h.{lsn} = p.lsn_from AND h.{seq} = p.change_seq",
        fmt::arg("history", qualified_name(table)),
        fmt::arg("staging", staging),
        fmt::arg("column", quote_identifier(table.columns[column].name)),
        fmt::arg("literal", quote_literal(table.columns[column].name)),
        fmt::arg("schema", quote_literal(table.target_schema)),
        fmt::arg("table", quote_literal(table.target_table)),
        fmt::arg("same_lifetime", same_lifetime),
        fmt::arg("keys", key_equals(table, "h.", "s.")),
        fmt::arg("key_text", key_text(table, "s.")),
        fmt::arg("lsn", quote_identifier(table.names.lsn_from)),
        fmt::arg("seq", quote_identifier(table.names.change_seq))
    );
}

std::string settle_pending_sql(const HistoryTable& table) {
    // Joined as sets: as many versions may wait as the slot held changes.
    return fmt::format(
        "UPDATE pgchronicle.pending_value w SET columns = rest.columns FROM (SELECT p.ctid AS"
        " row_at, coalesce(array_agg(c.name ORDER BY c.i) FILTER (WHERE r.name IS NULL), '{{}}')"
        " AS columns FROM pgchronicle.pending_value p"
        " CROSS JOIN LATERAL unnest(p.columns) WITH ORDINALITY AS c(name, i)"
        " LEFT JOIN pg_temp.resolvable r ON r.row_key = p.row_key AND r.name = c.name AND {}"
        " WHERE p.pipeline = $1 AND p.target_schema = {} AND p.target_table = {}"
        " GROUP BY p.ctid) rest WHERE w.ctid = rest.row_at",
        same_lifetime,
        quote_literal(table.target_schema),
        quote_literal(table.target_table)
    );
}

namespace {

/// Below the seam the stream makes only closed SNAPSHOT versions; open ones are a copy's.
std::string copied_row(const HistoryTable& table) {
    return fmt::format(
        "({} = 'SNAPSHOT' AND {} IS NULL)",
        quote_identifier(table.names.operation_type),
        quote_identifier(table.names.valid_to)
    );
}

}  // namespace

std::string remove_partial_copy_sql(const HistoryTable& table) {
    return fmt::format("DELETE FROM {} WHERE {}", qualified_name(table), copied_row(table));
}

std::string other_rows_sql(const HistoryTable& table) {
    return fmt::format(
        "SELECT EXISTS (SELECT FROM {0}), EXISTS (SELECT FROM {0} WHERE NOT {1})",
        qualified_name(table),
        copied_row(table)
    );
}

}  // namespace pgchronicle::initial_copy
