#include "files/import.hpp"

#include "failpoint/failpoint.hpp"
#include "files/csv_file.hpp"
#include "files/error.hpp"
#include "files/import_lock.hpp"
#include "files/import_rows.hpp"
#include "files/imported_table.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/target_table.hpp"
#include "pq/array_text.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace pgchronicle::files {
namespace {

namespace pg = history_writer::pg;

using history_writer::HistoryTable;

Error not_ready(std::string primary, std::string detail, std::string hint) {
    return Error{
        {.fault = Fault::not_ready,
         .primary = std::move(primary),
         .detail = std::move(detail),
         .hint = std::move(hint)}};
}

std::string checked_day(pq::Connection& target, const std::string& day) {
    try {
        const auto row = target.exec("SELECT to_char($1::date, 'YYYY-MM-DD')", {day});
        if (row.str(0, 0) == day) return day;
    } catch (const pq::Error& error) {
        if (!error.sqlstate().starts_with("22")) throw;
    }
    throw Error{
        {.fault = Fault::request,
         .primary = fmt::format("invalid day \"{}\"", day),
         .hint = "A day looks like 2026-03-03."}};
}

/// The newest day that was imported after the request's, if any; empty without a day. A file
/// without one was of the day that it came on.
std::string later_day(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const ImportRequest& request
) {
    if (!request.day) return "";
    const auto row = target.exec(
        "SELECT max(d.day) FROM pgchronicle.import,"
        " LATERAL (SELECT coalesce(day, (recorded_at AT TIME ZONE 'UTC')::date) AS day) d"
        " WHERE pipeline = $1 AND source_schema = $2 AND source_table = $3 AND d.day > $4::date",
        {settings.pipeline, table.source_schema, table.source_table, *request.day}
    );
    return row.str(0, 0);
}

/// Versions go on from where the days that came later have left them.
Error later_day_error(const ImportRequest& request, const std::string& later) {
    return not_ready(
        fmt::format("a later day was imported into \"{}\" already", request.table),
        fmt::format(
            "{} is in, and the file is neither what is there, nor what was imported for {}.",
            later,
            *request.day
        ),
        "History only goes on. Import a corrected file as of a day that is not in yet."
    );
}

std::vector<pq::Param> text_params(const std::vector<std::string>& values) {
    std::vector<pq::Param> params;
    params.reserve(values.size());
    for (const auto& value : values) params.push_back(pq::Param::text(value));
    return params;
}

/// The LSN and the time that the versions get, and the row in pgchronicle.import. From here on to
/// the end of the transaction the pipeline cannot store another position: who follows the history
/// by LSN sees the versions before anything later.
ImportStamp record_import(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request,
    const HistoryTable& table,
    const CsvContent& content,
    const Imported& imported
) {
    std::vector<std::string> columns;
    for (const auto& column : table.columns) columns.push_back(column.name);
    const std::vector<std::string> values{
        settings.pipeline,
        table.source_schema,
        table.source_table,
        request.day.value_or(""),
        request.file.filename().string(),
        content.sha256,
        std::to_string(content.rows),
        std::to_string(imported.inserted),
        std::to_string(imported.updated),
        std::to_string(imported.deleted),
        pq::array_text(columns)};
    target.exec(
        "SELECT FROM pgchronicle.checkpoint WHERE pipeline = $1 FOR SHARE", {settings.pipeline}
    );
    const auto replay = target.exec(
        "SELECT FROM pgchronicle.replay WHERE pipeline = $1 AND from_lsn IS NOT NULL",
        {settings.pipeline}
    );
    if (replay.rows() > 0) {
        throw not_ready(
            fmt::format("a replay of pipeline \"{}\" is under way", settings.pipeline),
            "Its checkpoint stands before what the history has held already.",
            "Let \"pgchronicle run\" finish it first."
        );
    }
    const auto row = target.exec(
        "INSERT INTO pgchronicle.import (pipeline, source_schema, source_table, day, file, digest,"
        " row_count, inserted, updated, deleted, columns, lsn, recorded_at)"
        " SELECT $1, $2, $3, nullif($4, '')::date, $5, $6, $7::bigint, $8::bigint, $9::bigint,"
        " $10::bigint, $11::text[], GREATEST(c.position, before.lsn),"
        " GREATEST(clock_timestamp(), c.last_commit_time, before.recorded_at)"
        " FROM pgchronicle.checkpoint c, (SELECT max(lsn) AS lsn,"
        " max(recorded_at) + interval '1 microsecond' AS recorded_at FROM pgchronicle.import"
        " WHERE pipeline = $1) before WHERE c.pipeline = $1 RETURNING id, lsn, recorded_at",
        text_params(values)
    );
    if (row.rows() != 1) throw std::runtime_error{"the checkpoint has disappeared"};
    return {row.str(0, 0), row.str(0, 1), row.str(0, 2)};
}

void record_table(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const ImportStamp& stamp
) {
    target.exec(
        "INSERT INTO pgchronicle.table_state (pipeline, source_schema, source_table, relation_id,"
        " target_schema, target_table, row_key, state, begins_at, membership, seam, seam_time,"
        " consistent_from, imported) VALUES ($1, $2, $3, 0, $4, $5, $6::text[], 'copied',"
        " $7::pg_lsn, '', $7::pg_lsn, $8::timestamptz, $7::pg_lsn, true)"
        " ON CONFLICT (pipeline, source_schema, source_table) DO NOTHING",
        {settings.pipeline,
         table.source_schema,
         table.source_table,
         table.target_schema,
         table.target_table,
         pq::array_text(pg::key_names(table)),
         stamp.lsn,
         stamp.time}
    );
}

/// Whether the very same file was the last that was imported for that day, or without one.
bool is_known(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request,
    const HistoryTable& table,
    const CsvContent& content
) {
    const auto row = target.exec(
        "SELECT digest = $5 FROM pgchronicle.import WHERE pipeline = $1 AND source_schema = $2"
        " AND source_table = $3 AND day IS NOT DISTINCT FROM nullif($4, '')::date"
        " ORDER BY id DESC LIMIT 1",
        {settings.pipeline,
         table.source_schema,
         table.source_table,
         request.day.value_or(""),
         content.sha256}
    );
    return row.rows() == 1 && row.boolean(0, 0);
}

/// The history table's columns and their types; empty where there is none.
std::string shape_of(pq::Connection& target, const HistoryTable& table) {
    const auto row = target.exec(
        "SELECT coalesce(string_agg(quote_ident(attname) || ' ' || format_type(atttypid, "
        "atttypmod),"
        " ', ' ORDER BY attnum), '') FROM pg_catalog.pg_attribute"
        " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        {pg::qualified_name(table)}
    );
    return row.str(0, 0);
}

Imported import_in_transaction(
    pq::Connection& target,
    const config::Settings& settings,
    const ImportRequest& request,
    const std::vector<std::string>& header
) {
    lock_imports(target, settings.pipeline, ImportLock::writes);
    if (request.day) checked_day(target, *request.day);
    require_inputs(target, settings, request);
    const auto table = plan_imported_table(target, settings, request, header);
    const auto shape = shape_of(target, table);
    pg::ensure_history_table(target, settings.pipeline, table);
    const bool reshaped = shape_of(target, table) != shape;
    pg::ensure_index(target, table);
    const auto content = load_rows(target, request, table, header);
    failpoint(Failpoint::import_copied);
    Imported imported;
    imported.table = table.source_schema + "." + table.source_table;
    imported.history = table.target_schema + "." + table.target_table;
    imported.rows = content.rows;
    find_changes(target, table, imported);
    const auto later = later_day(target, settings, table, request);
    const bool changes = imported.changes() > 0;
    // The same file with other types is news.
    if (!reshaped && (!changes || !later.empty()) &&
        is_known(target, settings, request, table, content)) {
        target.exec("ROLLBACK");
        imported.inserted = imported.updated = imported.deleted = 0;
        return imported;
    }
    if (changes && !later.empty()) throw later_day_error(request, later);
    const auto stamp = record_import(target, settings, request, table, content, imported);
    record_table(target, settings, table, stamp);
    if (changes) {
        write_changes(target, table, stamp, imported);
        imported.lsn = pgoutput::parse_lsn(stamp.lsn);
    }
    failpoint(Failpoint::import_written);
    target.exec("COMMIT");
    failpoint(Failpoint::import_committed);
    return imported;
}

}  // namespace

Imported import_file(
    const pq::ConnectOptions& options,
    const config::Settings& settings,
    const ImportRequest& request
) {
    const auto header = read_header(request.file, request.csv);
    auto target = pq::Connection::open(options);
    if (!pg::has_metadata(target) || !pg::read_checkpoint(target, settings.pipeline)) {
        throw not_ready(
            fmt::format("pipeline \"{}\" has no history yet", settings.pipeline),
            "The rows of a file become versions at its checkpoint's position.",
            "Start \"pgchronicle run\" first; --until-current ends it when everything is stored."
        );
    }
    pg::ensure_metadata(target);
    target.exec("BEGIN");
    target.exec("SET LOCAL synchronous_commit = on");
    return import_in_transaction(target, settings, request, header);
}

}  // namespace pgchronicle::files
