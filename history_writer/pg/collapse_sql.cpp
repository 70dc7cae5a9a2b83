#include "history_writer/pg/collapse_sql.hpp"

#include "history_writer/pg/key_sql.hpp"
#include "history_writer/pg/sql_parts.hpp"

#include <fmt/format.h>

namespace pgchronicle::history_writer::pg {

std::string collapse_sql(const HistoryTable& table) {
    const Names n{table.names};
    std::string key;
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        key += (i == 0 ? "h." : ", h.") + key_column(table, i);
    }
    // A chain is what lies between two ends of a key. A row that changed its key goes back to the
    // chain that its REKEY tombstone, of the same ordinal, ended.
    return fmt::format(
        "WITH RECURSIVE touched AS ("
        " SELECT h.ctid AS row_at, pg_catalog.dense_rank() OVER (ORDER BY {key}) AS key,"
        " h.{seq} AS seq, h.{operation} AS operation, h.{from} = $1 AND h.{seq} > 0 AS made,"
        " h.{to} IS NULL OR h.{to} > $1 AS open,"
        " h.{operation} IN ('DELETE', 'TRUNCATE', 'REKEY') AS tombstone"
        " FROM {name} h WHERE h.{from} = $1 OR h.{to} = $1"
        "), chained AS ("
        " SELECT t.*, pg_catalog.bool_or(NOT made) OVER same_key AS was_there,"
        " pg_catalog.bool_or(made AND open) OVER same_key AS is_there,"
        " seq = pg_catalog.max(seq) FILTER (WHERE made AND tombstone) OVER same_key AS last_end,"
        " pg_catalog.count(*) FILTER (WHERE made AND tombstone) OVER (PARTITION BY key, made"
        " ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS chain"
        " FROM touched t WINDOW same_key AS (PARTITION BY key)"
        "), judged AS ("
        " SELECT c.*, pg_catalog.first_value(seq) OVER chain_of AS start_seq,"
        " pg_catalog.first_value(operation) OVER chain_of AS start_operation"
        " FROM chained c WINDOW chain_of AS (PARTITION BY key, made, chain ORDER BY seq)"
        "), origin AS ("
        " SELECT row_at, key, start_seq AS seq, start_operation AS operation FROM judged"
        " WHERE made AND open AND NOT was_there"
        " UNION ALL SELECT o.row_at, t.key, t.start_seq, t.start_operation FROM origin o"
        " JOIN judged t ON t.seq = o.seq AND t.key <> o.key AND t.made AND t.operation = 'REKEY'"
        " WHERE o.operation = 'UPDATE' AND NOT t.was_there"
        "), gone AS ("
        " DELETE FROM {name} h USING judged j WHERE h.ctid = j.row_at AND j.made AND NOT j.open"
        " AND NOT (j.tombstone AND j.last_end AND j.was_there AND NOT j.is_there)"
        "), net AS ("
        " SELECT j.row_at, CASE WHEN EXISTS (SELECT FROM origin o WHERE o.row_at = j.row_at"
        " AND o.operation = 'INSERT') THEN 'INSERT' ELSE 'UPDATE' END AS operation"
        " FROM judged j WHERE j.made AND j.open"
        ") UPDATE {name} h SET {operation} = n.operation FROM net n"
        " WHERE h.ctid = n.row_at AND h.{operation} <> n.operation",
        fmt::arg("key", key),
        fmt::arg("name", qualified_name(table)),
        fmt::arg("seq", n.change_seq),
        fmt::arg("operation", n.operation_type),
        fmt::arg("from", n.lsn_from),
        fmt::arg("to", n.lsn_to)
    );
}

}  // namespace pgchronicle::history_writer::pg
