#include "files/export.hpp"

#include "files/copy_text.hpp"
#include "files/day_folders.hpp"
#include "files/error.hpp"
#include "files/import_lock.hpp"
#include "files/manifest.hpp"
#include "files/output_file.hpp"
#include "files/table_at.hpp"
#include "pq/quoting.hpp"
#include "reading/history_table.hpp"
#include "reading/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pgchronicle::files {
namespace {

using reading::HistoryTable;

Error no_tables(const config::Settings& settings) {
    return Error{
        {.fault = Fault::not_ready,
         .primary = fmt::format("pipeline \"{}\" has no tables to export", settings.pipeline),
         .hint = "Start \"pgchronicle run\"; imported tables are exported with --table."}};
}

std::vector<HistoryTable> chosen_tables(
    pq::Connection& target,
    const config::Settings& settings,
    const std::vector<std::string>& names
) {
    std::vector<HistoryTable> tables;
    if (names.empty()) {
        tables = reading::history_tables(target, settings);
        std::erase_if(tables, &HistoryTable::imported);
    }
    for (const auto& name : names) {
        auto table = reading::find_table(target, settings, name);
        const bool twice = std::ranges::any_of(tables, [&](const HistoryTable& other) {
            return other.name() == table.name();
        });
        if (!twice) tables.push_back(std::move(table));
    }
    if (tables.empty()) throw no_tables(settings);
    return tables;
}

/// Holds off changes of shape, which would not wait for the snapshot.
void lock_tables(pq::Connection& target, const std::vector<HistoryTable>& tables) {
    for (const auto& table : tables) {
        if (table.columns.empty()) continue;
        target.exec(
            "LOCK TABLE " + pq::quote_qualified(table.target_schema, table.target_table) +
            " IN ACCESS SHARE MODE"
        );
    }
}

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT
}

/// Returns the number of rows.
std::uint64_t write_csv(pq::Connection& target, const TableAt& table, OutputFile& file) {
    std::uint64_t lines = 0;
    target.copy_out(
        "COPY (" + table.select + ") TO STDOUT (FORMAT csv, HEADER true)",
        [&](std::span<const std::byte> line) {
            file.write(text_of(line));
            ++lines;
        }
    );
    return lines - 1;
}

std::uint64_t write_jsonl(pq::Connection& target, const TableAt& table, OutputFile& file) {
    std::vector<reading::Column> columns;
    for (const auto& column : table.columns) {
        columns.push_back({.name = column.name, .type = column.type, .type_oid = column.type_oid});
    }
    std::uint64_t rows = 0;
    std::string line;
    target.copy_out("COPY (" + table.select + ") TO STDOUT", [&](std::span<const std::byte> bytes) {
        line.clear();
        // A line without columns has no field.
        const auto row =
            columns.empty() ? std::vector<reading::Value>{} : copy_fields(text_of(bytes));
        reading::append_json_object(line, columns, row);
        line += '\n';
        file.write(line);
        ++rows;
    });
    return rows;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
    OutputFile file{path, false};
    file.write(text);
    file.close();
}

std::vector<std::string> sentences_of(const std::vector<Manifest::Gap>& gaps) {
    std::vector<std::string> sentences;
    for (const auto& gap : gaps) {
        sentences.push_back(
            gap.reason == "value_unknown"
                ? fmt::format("A value of {} is not known.", to_string(gap.from))
                : fmt::format(
                      "There is a gap ({}) from {} {}.",
                      gap.reason,
                      to_string(gap.from),
                      gap.to ? "to " + to_string(*gap.to) : "on"
                  )
        );
    }
    return sentences;
}

Exported write_table(
    pq::Connection& target,
    const config::Settings& settings,
    const ExportRequest& request,
    const HistoryTable& table,
    const FileMoment& moment,
    DayFolders& folders
) {
    const auto at = read_table_at(target, settings, table, moment);
    const auto folder = folders.begin(table.name(), moment.day);
    const bool csv = request.format == FileFormat::csv;
    Manifest manifest;
    manifest.table = table.name();
    manifest.pipeline = settings.pipeline;
    manifest.day = moment.day;
    manifest.as_of = moment.text();
    manifest.lsn = at.lsn;
    manifest.format = csv ? "csv" : "jsonl";
    manifest.compression = request.gzip ? "gzip" : "";
    manifest.file = file_name(table.name()) + "." + manifest.format + (request.gzip ? ".gz" : "");
    manifest.row_key = at.row_key;
    for (const auto& column : at.columns) manifest.columns.push_back({column.name, column.type});
    manifest.gaps = at.gaps;

    OutputFile file{folder / manifest.file, request.gzip};
    manifest.rows = csv ? write_csv(target, at, file) : write_jsonl(target, at, file);
    file.close();
    manifest.bytes = file.bytes();
    manifest.sha256 = file.sha256();
    write_file(folder / "manifest.json", to_json(manifest));
    write_file(folder / success_marker, "");
    return {
        .table = table.name(),
        .folder = folders.folder(table.name(), moment.day),
        .rows = manifest.rows,
        .gaps = sentences_of(at.gaps)};
}

/// A table that was renamed belongs to the moments before, under the name that it had.
void leave_out_ended(
    pq::Connection& target,
    const config::Settings& settings,
    const FileMoment& moment,
    std::vector<HistoryTable>& tables,
    ExportResult& exported
) {
    const auto ended = ended_tables(target, settings, tables, moment);
    std::erase_if(tables, [&](const HistoryTable& table) {
        const auto is_it = [&](const std::string& name) { return name == table.name(); };
        return std::ranges::any_of(ended.by_then, is_it) ||
               std::ranges::any_of(ended.unknown, is_it);
    });
    exported.untold = ended.unknown;
    if (tables.empty()) throw no_tables(settings);
}

/// Tables that joined after the moment: they would stand in the way of it for ever. Not where there
/// would be none left.
void leave_out_later(
    pq::Connection& target,
    const FileMoment& moment,
    std::vector<HistoryTable>& tables,
    ExportResult& exported
) {
    // Not the one of std::ranges: clang 14 cannot read what it returns.
    const auto later =
        std::stable_partition(tables.begin(), tables.end(), [&](const HistoryTable& table) {
            return !begins_after(target, table, moment);
        });
    if (later == tables.begin()) return;
    for (auto it = later; it != tables.end(); ++it) exported.begin_later.push_back(it->name());
    tables.erase(later, tables.end());
}

}  // namespace

ExportResult export_tables(
    const pq::ConnectOptions& target_options,
    const pq::ConnectOptions& source_options,
    const config::Settings& settings,
    const ExportRequest& request
) {
    ExportResult exported;
    auto target = pq::Connection::open(target_options);
    auto moment = find_moment(target, request.moment);
    auto tables = chosen_tables(target, settings, request.tables);
    const bool imported = std::ranges::any_of(tables, &HistoryTable::imported);
    FinalMoment final{target, source_options, settings.pipeline, moment, imported};
    final.wait(request.patience);
    DayFolders folders{request.dir};
    // An import that has begun may have a time before the moment.
    for (const auto& table : tables) {
        if (table.imported) lock_imports(target, settings.pipeline, ImportLock::reads);
    }
    target.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    lock_tables(target, tables);
    // The first query takes the snapshot; what was found before may have changed until then.
    tables = chosen_tables(target, settings, request.tables);
    if (!final.reached()) {
        throw Error{
            {.fault = Fault::not_ready,
             .primary = "the history was set back meanwhile",
             .hint = "Export again when the replay has ended."}};
    }
    if (request.tables.empty()) leave_out_ended(target, settings, moment, tables, exported);
    if (moment.day.empty()) {
        moment.day = day_of_last_change(target, tables, *moment.lsn, request.moment.time_zone);
    }
    if (moment.day.empty()) {
        throw Error{
            {.fault = Fault::request,
             .primary = fmt::format("the day of {} is not known", moment.text()),
             .detail = "No table has a row of then.",
             .hint = "Name it with --day."}};
    }
    if (request.tables.empty()) leave_out_later(target, moment, tables, exported);
    for (const auto& table : tables) {
        exported.tables.push_back(write_table(target, settings, request, table, moment, folders));
    }
    target.exec("COMMIT");
    folders.publish();
    return exported;
}

}  // namespace pgchronicle::files
