#include "following/changes_sql.hpp"

#include "pq/quoting.hpp"

#include <fmt/format.h>

namespace pgchronicle::following {

using pq::quote_identifier;
using pq::quote_literal;

namespace {

/// A table up to this size is read as a whole within a millisecond or two.
constexpr std::size_t scanned_bytes_max = 1U << 20U;

std::string operations_condition(const Wanted& wanted) {
    const auto column = "h." + quote_identifier(wanted.names.operation_type);
    if (wanted.operations.empty()) {
        return wanted.snapshot ? "" : fmt::format(" AND {} <> 'SNAPSHOT'", column);
    }
    std::string list;
    for (const auto& operation : wanted.operations) {
        list += (list.empty() ? "" : ", ") + quote_literal(operation);
    }
    return fmt::format(" AND {} IN ({})", column, list);
}

/// FROM and WHERE over the versions "h" of one table. The rows are compared as the index has them.
std::string versions(const FollowedTable& table, const Wanted& wanted, const Range& range) {
    const auto place = fmt::format(
        "(h.{}, h.{})",
        quote_identifier(wanted.names.lsn_from),
        quote_identifier(wanted.names.change_seq)
    );
    const auto bound = [](const Position& position) {
        return fmt::format("('{}'::pg_lsn, {}::bigint)", to_string(position.lsn), position.seq);
    };
    return fmt::format(
        " FROM {} h WHERE {} {} {} AND {} <= {}{}",
        pq::quote_qualified(table.target_schema, table.target_table),
        place,
        range.from.nth == Position::all ? ">" : ">=",
        bound(range.from),
        place,
        bound(range.upto),
        operations_condition(wanted)
    );
}

/// What puts the versions of one seq into an order that stays: the end of a key before the
/// beginning of the other, then by key. Rows without a key are ordered by what they hold.
std::string order_within_seq(const FollowedTable& table, const Wanted& wanted) {
    auto order = fmt::format("h.{} <> 'REKEY'", quote_identifier(wanted.names.operation_type));
    for (const auto& column : table.row_key) order += ", h." + quote_identifier(column);
    if (!table.row_key.empty()) return order;
    std::string own;
    for (const auto& name : wanted.names.in_order()) {
        own += (own.empty() ? "" : ", ") + quote_literal(name);
    }
    return order + fmt::format(", (to_jsonb(h.*) - ARRAY[{}])::text COLLATE \"C\"", own);
}

}  // namespace

std::string reaches_sql(const Shown& shown) {
    return fmt::format(
        "SELECT EXISTS (SELECT FROM pgchronicle.checkpoint c WHERE c.pipeline = {}"
        " AND c.position >= '{}'::pg_lsn)",
        quote_literal(shown.pipeline),
        to_string(shown.upto)
    );
}

std::string checkpoint_sql() {
    // The functions are called after the snapshot was taken: what is seen was committed before.
    return "SELECT c.position, pg_is_in_recovery(),"
           " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END,"
           " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END"
           " FROM pgchronicle.checkpoint c WHERE c.pipeline = $1";
}

std::string tables_sql(bool quarantines) {
    // One history may follow two source tables, the second in the place of the first. What older
    // targets lack is taken from the row as JSON.
    return fmt::format(
        "SELECT * FROM (SELECT DISTINCT ON (t.target_schema, t.target_table) t.source_schema,"
        " t.source_table, t.target_schema, t.target_table, t.row_key,"
        " (t.state = 'pending' OR t.compare_as IS NOT NULL){0},"
        " pg_relation_size(c.oid) > {1} AND NOT EXISTS (SELECT FROM pg_index i"
        " JOIN pg_attribute l ON l.attrelid = c.oid AND l.attnum = i.indkey[0]"
        " JOIN pg_attribute s ON s.attrelid = c.oid AND s.attnum = i.indkey[1]"
        " WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL"
        " AND (l.attname, s.attname) = ($2::name, $3::name))"
        " FROM pgchronicle.table_state t"
        " JOIN pg_namespace n ON n.nspname = t.target_schema"
        " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table"
        " WHERE t.pipeline = $1"
        " AND NOT coalesce((to_jsonb(t)->>'imported')::boolean, false)"
        " ORDER BY t.target_schema, t.target_table, t.state = 'ended') known"
        " ORDER BY source_schema COLLATE \"C\", source_table COLLATE \"C\"",
        quarantines ? " AND NOT EXISTS (SELECT FROM pgchronicle.quarantine q"
                      " WHERE (q.pipeline, q.source_schema, q.source_table)"
                      " = (t.pipeline, t.source_schema, t.source_table)"
                      " AND q.released_at IS NULL)"
                    : "",
        scanned_bytes_max
    );
}

std::string positions_sql(
    const std::vector<FollowedTable>& tables,
    const Wanted& wanted,
    const Range& range,
    std::size_t count
) {
    std::string all;
    for (const auto& table : tables) {
        // Each ordered by itself: else the planner sorts all that there is. Sizes are those that
        // are sent: what is stored may be compressed.
        all += fmt::format(
            "{}(SELECT v.lsn, v.seq, octet_length(v.version::text) AS bytes FROM (SELECT h.{} AS "
            "lsn,"
            " h.{} AS seq, h AS version{} ORDER BY 1, 2 LIMIT {}) v)",
            all.empty() ? "" : " UNION ALL ",
            quote_identifier(wanted.names.lsn_from),
            quote_identifier(wanted.names.change_seq),
            versions(table, wanted, range),
            count
        );
    }
    return fmt::format(
        "SELECT c.lsn, c.seq, c.bytes FROM ({}) c ORDER BY c.lsn, c.seq LIMIT {}", all, count
    );
}

std::string changes_sql(const FollowedTable& table, const Wanted& wanted, const Range& range) {
    const auto column = [](const std::string& name) { return "h." + quote_identifier(name); };
    const auto& names = wanted.names;
    return fmt::format(
        "SELECT {0}, {1}, {2}, {3}, h.*{4} ORDER BY {0}, {1}, {5}",
        column(names.lsn_from),
        column(names.change_seq),
        column(names.operation_type),
        column(names.valid_from),
        versions(table, wanted, range),
        order_within_seq(table, wanted)
    );
}

std::string count_sql(const FollowedTable& table, const Wanted& wanted, const Range& range) {
    return "SELECT count(*)" + versions(table, wanted, range);
}

}  // namespace pgchronicle::following
