#include "files/imported_table.hpp"

#include "files/day_folders.hpp"
#include "files/error.hpp"
#include "history_writer/pg/rewind.hpp"
#include "history_writer/pg/target_table.hpp"
#include "pq/array_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgchronicle::files {
namespace {

namespace pg = history_writer::pg;

using history_writer::HistoryTable;

/// schema.table apart.
struct TableName {
    std::string schema;
    std::string table;
};

Error request_error(std::string primary, std::string detail = {}, std::string hint = {}) {
    return Error{
        {.fault = Fault::request,
         .primary = std::move(primary),
         .detail = std::move(detail),
         .hint = std::move(hint)}};
}

Error missing_input(std::string primary, std::string hint) {
    return Error{
        {.fault = Fault::not_ready, .primary = std::move(primary), .hint = std::move(hint)}};
}

/// No pipeline may write it, and its key stays what it is.
void require_imported(
    pq::Connection& target,
    const config::Settings& settings,
    const TableName& name,
    const std::vector<std::string>& key
) {
    const auto row = target.exec(
        "SELECT imported, row_key = $4::text[], array_to_string(row_key, ', ')"
        " FROM pgchronicle.table_state WHERE pipeline = $1 AND source_schema = $2"
        " AND source_table = $3",
        {settings.pipeline, name.schema, name.table, pq::array_text(key)}
    );
    if (row.rows() == 0) return;
    if (row.boolean(0, 0) && !row.boolean(0, 1)) {
        throw request_error(
            fmt::format("table \"{}.{}\" has another key", name.schema, name.table),
            fmt::format("Its history is kept by ({}).", row.text(0, 2))
        );
    }
    if (row.boolean(0, 0)) return;
    throw request_error(
        fmt::format("table \"{}.{}\" is not an imported one", name.schema, name.table),
        fmt::format("Pipeline \"{}\" writes its history from the source.", settings.pipeline),
        "Import the file as another table."
    );
}

/// The type as format_type writes it. Nothing but the name of a type is taken.
std::string type_named(pq::Connection& target, const std::string& column, const std::string& type) {
    const auto refuse = [&](const std::string& detail) {
        return request_error(
            fmt::format(R"(type "{}" of column "{}" is not known)", type, column),
            detail,
            "Write it as in CREATE TABLE, a type of an extension with its schema."
        );
    };
    try {
        // Its modifier, as in numeric(10,2), is known once there is a column.
        target.exec("SAVEPOINT type_named");
        const auto known = target.exec("SELECT to_regtype($1) IS NOT NULL", {type});
        if (!known.boolean(0, 0)) throw refuse("");
        target.exec("CREATE TEMP TABLE pgchronicle_type (c " + type + ") ON COMMIT DROP");
        const auto row = target.exec(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = 'pg_temp.pgchronicle_type'::regclass AND attname = 'c'"
        );
        auto written = row.str(0, 0);
        target.exec("ROLLBACK TO type_named");
        return written;
    } catch (const pq::Error& error) {
        if (error.connection_lost()) throw;
        throw refuse(error.primary() + ".");
    }
}

void check_names(const config::HistoryColumnNames& names, const std::vector<std::string>& header) {
    for (const auto& own : names.in_order()) {
        if (std::ranges::find(header, own) == header.end()) continue;
        throw request_error(
            fmt::format("column \"{}\" has the name of one of the history's own", own),
            "",
            "Give the history's another name in tables.history_columns."
        );
    }
}

void require_same_columns(
    const HistoryTable& table,
    const std::map<std::string, std::string>& existing,
    const std::vector<std::string>& header
) {
    const auto own = table.names.in_order();
    for (const auto& column : existing) {
        const auto& name = column.first;
        const bool ours = std::ranges::find(own, name) != own.end();
        if (ours || std::ranges::find(header, name) != header.end()) continue;
        throw Error{
            {.fault = Fault::content,
             .primary = fmt::format("column \"{}\" is missing in the file", name),
             .detail = fmt::format(
                 "History table \"{}.{}\" has it.", table.target_schema, table.target_table
             )}};
    }
}

void plan_key(const ImportRequest& request, HistoryTable& table) {
    for (const auto& name : request.key) {
        const auto found =
            std::ranges::find(table.columns, name, &history_writer::HistoryColumn::name);
        if (found == table.columns.end()) {
            std::string columns;
            for (const auto& column : table.columns) {
                columns += (columns.empty() ? "" : ", ") + column.name;
            }
            throw request_error(
                fmt::format("key column \"{}\" is not in the file", name),
                fmt::format("Its columns are {}.", columns)
            );
        }
        const auto index = static_cast<std::uint16_t>(found - table.columns.begin());
        if (std::ranges::find(table.key, index) != table.key.end()) {
            throw request_error(fmt::format("key column \"{}\" is named twice", name));
        }
        table.key.push_back(index);
    }
}

TableName imported_name(const std::string& name) {
    const auto dot = name.find('.');
    TableName result{imported_schema, name};
    if (dot != std::string::npos) result = {name.substr(0, dot), name.substr(dot + 1)};
    if (result.schema.empty() || result.table.empty()) {
        throw request_error(fmt::format("invalid table name \"{}\"", name));
    }
    return result;
}

}  // namespace

HistoryTable plan_imported_table(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request,
    const std::vector<std::string>& header
) {
    const auto name = imported_name(request.table);
    require_imported(target, settings, name, request.key);
    const auto goes_to = history_writer::target_name(name.schema, name.table, settings);
    HistoryTable table;
    table.source_schema = name.schema;
    table.source_table = name.table;
    table.target_schema = goes_to.schema;
    table.target_table = goes_to.table;
    table.base_name = pg::base_name(goes_to, settings.target.table_suffix);
    table.names = settings.tables.history_columns;
    table.imported = true;
    check_names(table.names, header);
    const auto existing = pg::existing_columns(target, goes_to);
    if (!existing.empty()) require_same_columns(table, existing, header);
    for (const auto& [column, type] : request.types) {
        if (std::ranges::find(header, column) != header.end()) continue;
        throw request_error(fmt::format("column \"{}\" of --types is not in the file", column));
    }
    for (const auto& column : header) {
        auto& planned = table.columns.emplace_back();
        planned.name = column;
        planned.source_name = column;
        const auto given = request.types.find(column);
        const auto known = existing.find(column);
        planned.type_sql = given != request.types.end() ? type_named(target, column, given->second)
                           : known != existing.end()    ? known->second
                                                        : "text";
        table.kept.push_back(static_cast<std::int32_t>(table.kept.size()));
    }
    plan_key(request, table);
    return table;
}

void require_inputs(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request
) {
    if (!request.day) return;
    const auto folder = request.file.parent_path();
    if (!has_succeeded(folder.empty() ? "." : folder)) {
        throw missing_input(
            fmt::format("the step that makes \"{}\" has not succeeded", request.file.string()),
            fmt::format(
                "Run it again. When it is done, it leaves a file {} beside.", success_marker
            )
        );
    }
    for (const auto& input : request.after) {
        if (input.find('/') != std::string::npos) {
            if (has_succeeded(input) || has_succeeded(std::filesystem::path{input} / *request.day))
                continue;
            throw missing_input(
                fmt::format(
                    "the step that makes \"{}\" has not succeeded for {}", input, *request.day
                ),
                fmt::format("Run it again. When it is done, it leaves a file {}.", success_marker)
            );
        }
        const auto name = imported_name(input);
        const auto row = target.exec(
            "SELECT FROM pgchronicle.import WHERE pipeline = $1 AND source_schema = $2"
            " AND source_table = $3 AND day = $4::date LIMIT 1",
            {settings.pipeline, name.schema, name.table, *request.day}
        );
        if (row.rows() > 0) continue;
        throw missing_input(
            fmt::format(
                "table \"{}.{}\" was not imported for {}", name.schema, name.table, *request.day
            ),
            "Import it first."
        );
    }
}

}  // namespace pgchronicle::files
