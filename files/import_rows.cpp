#include "files/import_rows.hpp"

#include "files/copy_text.hpp"
#include "files/error.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "pq/quoting.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <span>
#include <stdexcept>

namespace pgchronicle::files {
namespace {

namespace pg = history_writer::pg;

using history_writer::HistoryTable;
using pq::quote_identifier;

/// As much as is sent at once.
constexpr std::size_t copy_bytes = 64UL << 10U;

/// The file's rows: l is the line, c1, c2, ... its columns, whose names no error text translates.
constexpr const char* rows_table = "pg_temp.pgchronicle_rows";
/// What is to be written: number, operation, line of the row, place of the open version.
constexpr const char* changes_table = "pg_temp.pgchronicle_changes";

std::string row_column(std::size_t i) {
    return fmt::format("c{}", i + 1);
}

Error content_error(std::string primary, std::string detail = {}) {
    return Error{
        {.fault = Fault::content, .primary = std::move(primary), .detail = std::move(detail)}};
}

/// Which row of a COPY, from 1, and which column of it the server's error is about.
struct CopyPlace {
    std::uint64_t row{0};
    std::optional<std::size_t> column;
};

/// Of a context like: COPY pgchronicle_rows, line 3, column c2: "x". In some other languages the
/// words differ, the order does not.
std::optional<CopyPlace> copy_place(const std::string& context) {
    const auto number_after = [&](std::size_t at) -> std::optional<std::uint64_t> {
        at = context.find_first_of("0123456789", at);
        if (at == std::string::npos) return std::nullopt;
        std::uint64_t number = 0;
        std::from_chars(context.data() + at, context.data() + context.size(), number);
        return number;
    };
    const auto comma = context.find(',');
    if (comma == std::string::npos) return std::nullopt;
    const auto row = number_after(comma);
    if (!row) return std::nullopt;
    CopyPlace place{*row, std::nullopt};
    const auto second = context.find(',', comma + 1);
    const auto column = second == std::string::npos ? second : context.find(" c", second);
    if (column == std::string::npos) return place;
    // "column c2" has two words that begin with a c.
    for (auto at = column; at != std::string::npos; at = context.find(" c", at + 1)) {
        const char next = at + 2 < context.size() ? context[at + 2] : ' ';
        if (next < '0' || next > '9') continue;
        if (const auto number = number_after(at); number && *number > 0) {
            place.column = static_cast<std::size_t>(*number - 1);
        }
        break;
    }
    return place;
}

/// The file is read once more, up to the row that the server did not take.
Error value_error(
    const ImportRequest& request,
    const HistoryTable& table,
    const std::vector<std::string>& header,
    const pq::Error& error
) {
    const auto found = copy_place(error.context());
    std::optional<TextPlace> place;
    std::uint64_t number = 0;
    if (found && found->column && *found->column < header.size()) {
        read_rows(request.file, request.csv, header, [&](const CsvRecord& record) {
            if (++number == found->row) place = record.fields[*found->column].place;
        });
    }
    if (!place) return content_error(error.primary(), error.detail());
    const auto& column = table.columns[*found->column];
    return content_error(
        fmt::format("{}: {}", place_in(request.file, *place), error.primary()),
        fmt::format("Column \"{}\" is of type {}.", column.name, column.type_sql)
    );
}

void require_key(const ImportRequest& request, const HistoryTable& table, const CsvRecord& record) {
    for (const auto column : table.key) {
        const auto& field = record.fields[column];
        if (!field.null()) continue;
        throw content_error(fmt::format(
            "{}: key column \"{}\" has no value",
            place_in(request.file, field.place),
            table.columns[column].name
        ));
    }
}

void require_unique(
    pq::Connection& target,
    const ImportRequest& request,
    const HistoryTable& table
) {
    std::string columns;
    std::string names;
    for (const auto column : table.key) {
        columns += (columns.empty() ? "" : ", ") + row_column(column);
        names += (names.empty() ? "" : ", ") + table.columns[column].name;
    }
    const auto rows = target.exec(fmt::format(
        "SELECT (array_agg(concat_ws(', ', {0}) ORDER BY l))[1], (array_agg(l ORDER BY l))[1],"
        " (array_agg(l ORDER BY l))[2], count(*) OVER () FROM {1} GROUP BY {0}"
        " HAVING count(*) > 1 ORDER BY min(l) LIMIT 5",
        columns,
        rows_table
    ));
    if (rows.rows() == 0) return;
    std::string detail;
    for (int i = 0; i < rows.rows(); ++i) {
        detail += fmt::format(
            "{}Key ({})=({}) is on lines {} and {}.",
            detail.empty() ? "" : " ",
            names,
            rows.text(i, 0),
            rows.text(i, 1),
            rows.text(i, 2)
        );
    }
    throw content_error(
        fmt::format(
            "{}, line {}: duplicate key", request.file.filename().string(), rows.text(0, 2)
        ),
        detail
    );
}

/// Whether row r has the key of version h.
std::string same_key(const HistoryTable& table) {
    std::string condition;
    for (const auto column : table.key) {
        condition += fmt::format(
            "{}r.{} = h.{}",
            condition.empty() ? "" : " AND ",
            row_column(column),
            quote_identifier(table.columns[column].name)
        );
    }
    return condition;
}

/// Whether any value of row r is written in another way than version h's.
std::string any_difference(const HistoryTable& table) {
    std::string condition;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        condition += fmt::format(
            R"({}r.{}::text COLLATE "C" IS DISTINCT FROM h.{}::text COLLATE "C")",
            condition.empty() ? "" : " OR ",
            row_column(i),
            quote_identifier(table.columns[i].name)
        );
    }
    return condition;
}

void require_rows(const char* what, std::uint64_t written, std::uint64_t due) {
    if (written == due) return;
    throw std::runtime_error{
        fmt::format("{} {} rows of the history, {} were due", what, written, due)};
}

}  // namespace

CsvContent load_rows(
    pq::Connection& target,
    const ImportRequest& request,
    const HistoryTable& table,
    const std::vector<std::string>& header
) {
    std::string columns = "l bigint";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        columns += fmt::format(", {} {}", row_column(i), table.columns[i].type_sql);
    }
    target.exec(fmt::format("CREATE TEMP TABLE pgchronicle_rows ({}) ON COMMIT DROP", columns));
    CsvContent content;
    try {
        target.begin_copy_in(fmt::format("COPY {} FROM STDIN", rows_table));
        std::string buffer;
        const auto send = [&] {
            target.put_copy(std::as_bytes(std::span{buffer}));
            buffer.clear();
        };
        content = read_rows(request.file, request.csv, header, [&](const CsvRecord& record) {
            require_key(request, table, record);
            buffer += std::to_string(record.line);
            for (const auto& field : record.fields) {
                buffer += '\t';
                append_copy_field(
                    buffer,
                    field.null() ? std::nullopt : std::optional<std::string_view>{field.text}
                );
            }
            buffer += '\n';
            if (buffer.size() >= copy_bytes) send();
        });
        send();
        target.end_copy_in();
    } catch (const pq::Error& error) {
        const bool of_value = error.sqlstate().starts_with("22") || error.sqlstate() == "23514";
        if (!of_value) throw;
        throw value_error(request, table, header, error);
    }
    target.exec(fmt::format("ANALYZE {}", rows_table));
    require_unique(target, request, table);
    return content;
}

void find_changes(pq::Connection& target, const HistoryTable& table, Imported& imported) {
    const pg::Names n{table.names};
    target.exec(fmt::format(
        "CREATE TEMP TABLE pgchronicle_changes ON COMMIT DROP AS"
        " SELECT row_number() OVER (ORDER BY l NULLS FIRST, row_at) AS number, operation, l, row_at"
        " FROM (SELECT 'UPDATE' AS operation, r.l, h.ctid AS row_at FROM {rows} r JOIN {history} h"
        " ON h.{to} IS NULL AND {same} WHERE {differs}"
        " UNION ALL SELECT 'INSERT', r.l, NULL FROM {rows} r WHERE NOT EXISTS"
        " (SELECT FROM {history} h WHERE h.{to} IS NULL AND {same})"
        " UNION ALL SELECT 'DELETE', NULL, h.ctid FROM {history} h WHERE h.{to} IS NULL"
        " AND NOT EXISTS (SELECT FROM {rows} r WHERE {same})) AS c",
        fmt::arg("rows", rows_table),
        fmt::arg("history", pg::qualified_name(table)),
        fmt::arg("to", n.valid_to),
        fmt::arg("same", same_key(table)),
        fmt::arg("differs", any_difference(table))
    ));
    const auto counts = target.exec(fmt::format(
        "SELECT count(*) FILTER (WHERE operation = 'INSERT'), count(*) FILTER (WHERE operation ="
        " 'UPDATE'), count(*) FILTER (WHERE operation = 'DELETE') FROM {}",
        changes_table
    ));
    imported.inserted = static_cast<std::uint64_t>(counts.int64(0, 0));
    imported.updated = static_cast<std::uint64_t>(counts.int64(0, 1));
    imported.deleted = static_cast<std::uint64_t>(counts.int64(0, 2));
}

void write_changes(
    pq::Connection& target,
    const HistoryTable& table,
    const ImportStamp& stamp,
    const Imported& imported
) {
    const pg::Names n{table.names};
    std::string values;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        values += "r." + row_column(i) + ", ";
    }
    const auto made = target.exec(
        fmt::format(
            "INSERT INTO {history} ({columns}) SELECT {values}$1::timestamptz, NULL, true,"
            " c.operation, $2::pg_lsn, NULL, ($3::bigint << 32) + c.number"
            " FROM {changes} c JOIN {rows} r USING (l)"
            " UNION ALL SELECT {old}, $1::timestamptz, $1::timestamptz, false, 'DELETE',"
            " $2::pg_lsn, $2::pg_lsn, ($3::bigint << 32) + c.number"
            " FROM {changes} c JOIN {history} h ON h.ctid = c.row_at WHERE c.operation = 'DELETE'",
            fmt::arg("history", pg::qualified_name(table)),
            fmt::arg("columns", pg::column_list(table)),
            fmt::arg("values", values),
            fmt::arg("old", pg::source_columns(table, "h.")),
            fmt::arg("changes", changes_table),
            fmt::arg("rows", rows_table)
        ),
        {stamp.time, stamp.lsn, stamp.id}
    );
    require_rows("inserted", made.affected(), imported.changes());
    const auto closed = target.exec(
        fmt::format(
            "UPDATE {} h SET {} = $1::timestamptz, {} = false, {} = $2::pg_lsn FROM {} c"
            " WHERE h.ctid = c.row_at",
            pg::qualified_name(table),
            n.valid_to,
            n.is_current,
            n.lsn_to,
            changes_table
        ),
        {stamp.time, stamp.lsn}
    );
    require_rows("closed", closed.affected(), imported.updated + imported.deleted);
}

}  // namespace pgchronicle::files
