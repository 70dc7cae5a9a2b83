#include "reading/history_table.hpp"

#include "pq/array_text.hpp"
#include "reading/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pgchronicle::reading {
namespace {

/// What is asked of the metadata: the tables of pipeline $1 whose name, or whose schema and name,
/// $2 is; all when it is NULL. What older versions lack is taken from the row as JSON, where a
/// column that is not there is NULL.
std::string tables_sql(bool quarantines) {
    return fmt::format(
        "SELECT t.source_schema, t.source_table, t.target_schema, t.target_table, t.row_key,"
        " {}, coalesce((to_jsonb(t)->>'imported')::boolean, false),"
        " t.consistent_from, t.seam_time, {}, c.oid"
        " FROM pgchronicle.table_state t {}"
        " LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema"
        " LEFT JOIN pg_catalog.pg_class c"
        " ON c.relnamespace = n.oid AND c.relname = t.target_table"
        " WHERE t.pipeline = $1 AND ($2::text IS NULL"
        " OR $2 IN (t.source_schema || '.' || t.source_table, t.source_table))"
        " ORDER BY t.source_schema COLLATE \"C\", t.source_table COLLATE \"C\"",
        quarantines ? "CASE WHEN q.pipeline IS NULL THEN t.state ELSE 'quarantined' END"
                    : "t.state",
        quarantines ? "q.from_lsn, q.from_time" : "NULL::pg_lsn, NULL::timestamptz",
        quarantines ? "LEFT JOIN pgchronicle.quarantine q"
                      " USING (pipeline, source_schema, source_table)"
                    : ""
    );
}

bool is_own(const config::HistoryColumnNames& names, const std::string& column) {
    const auto own = names.in_order();
    return std::ranges::find(own, column) != own.end();
}

/// The columns of every table at once: `oids` are their relations', in the tables' order.
void read_columns(
    pq::Connection& target,
    const std::vector<std::string>& oids,
    std::vector<HistoryTable>& tables
) {
    const auto rows = target.exec(
        "SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid"
        " FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1::oid[])"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum",
        {pq::array_text(oids)}
    );
    for (int row = 0; row < rows.rows(); ++row) {
        const std::string relation = rows.str(row, 0);
        for (std::size_t i = 0; i < tables.size(); ++i) {
            // One history may follow two source tables, the second in the place of the first.
            if (oids[i] != relation || is_own(tables[i].names, rows.str(row, 1))) continue;
            tables[i].columns.push_back(
                {.name = rows.str(row, 1),
                 .type = rows.str(row, 2),
                 .type_oid = static_cast<std::uint32_t>(rows.int64(row, 3))}
            );
        }
    }
}

std::vector<HistoryTable> read_tables(
    pq::Connection& target,
    const config::Settings& settings,
    const std::optional<std::string>& name
) {
    if (!has_relation(target, "pgchronicle.table_state")) return {};
    const std::array params{
        pq::Param::text(settings.pipeline),
        name ? pq::Param::text(*name) : pq::Param::null(),
    };
    const auto rows =
        target.exec(tables_sql(has_relation(target, "pgchronicle.quarantine")), params);
    const auto lsn = [&](int row, int column) {
        return pgoutput::parse_lsn(rows.text(row, column));
    };
    std::vector<HistoryTable> tables;
    std::vector<std::string> oids;
    for (int row = 0; row < rows.rows(); ++row) {
        tables.push_back(
            {.source_schema = rows.str(row, 0),
             .source_table = rows.str(row, 1),
             .target_schema = rows.str(row, 2),
             .target_table = rows.str(row, 3),
             .columns = {},
             .row_key = pq::parse_array_text(rows.text(row, 4)),
             .names = settings.tables.history_columns,
             .state = rows.str(row, 5),
             .imported = rows.boolean(row, 6),
             .consistent_from = lsn(row, 7),
             .consistent_from_time = value_of(rows, row, 8),
             .left_at = lsn(row, 9),
             .left_at_time = value_of(rows, row, 10)}
        );
        // A history that somebody has dropped has no columns.
        oids.push_back(rows.null(row, 11) ? "0" : rows.str(row, 11));
    }
    if (!tables.empty()) read_columns(target, oids, tables);
    return tables;
}

}  // namespace

const Column* HistoryTable::find_column(std::string_view column) const {
    const auto found = std::ranges::find(columns, column, &Column::name);
    return found == columns.end() ? nullptr : &*found;
}

std::vector<Column> HistoryTable::key_columns() const {
    std::vector<Column> key;
    for (const std::string& column : row_key) {
        if (const Column* found = find_column(column)) key.push_back(*found);
    }
    return key;
}

std::vector<HistoryTable> history_tables(pq::Connection& target, const config::Settings& settings) {
    return read_tables(target, settings, std::nullopt);
}

HistoryTable
find_table(pq::Connection& target, const config::Settings& settings, std::string_view name) {
    auto tables = read_tables(target, settings, std::string{name});
    // The whole name is meant where both fit: a table may be called "a.b".
    const auto whole = std::ranges::find_if(tables, [&](const HistoryTable& table) {
        return table.name() == name;
    });
    if (whole != tables.end()) return *whole;
    if (tables.size() == 1) return tables.front();
    if (tables.empty()) {
        throw Error{
            {.kind = ErrorKind::not_found,
             .primary =
                 fmt::format(R"(pipeline "{}" keeps no history of "{}")", settings.pipeline, name),
             .hint = R"("pgchronicle status" lists its tables.)"}};
    }
    std::string list;
    for (const HistoryTable& table : tables) list += (list.empty() ? "" : ", ") + table.name();
    throw Error{
        {.kind = ErrorKind::ambiguous,
         .primary = fmt::format("table name \"{}\" is ambiguous", name),
         .detail = fmt::format("It may be one of {}.", list)}};
}

}  // namespace pgchronicle::reading
