#include "pq/quoting.hpp"
#include "reading/as_of.hpp"
#include "reading/checkpoint.hpp"

#include <fmt/format.h>

namespace pgchronicle::reading {
namespace {

using pq::quote_identifier;

Error not_ready(const HistoryTable& table) {
    return Error{
        {.kind = ErrorKind::not_ready,
         .primary = fmt::format("history of table \"{}\" is not complete yet", table.name()),
         .detail = {},
         .hint = "Its rows are still to be copied from the source; see \"pgchronicle status\"."}};
}

Error too_early(const HistoryTable& table, const std::string& asked, const std::string& from) {
    return Error{
        {.kind = ErrorKind::too_early,
         .primary = fmt::format("history of table \"{}\" is not known at {}", table.name(), asked),
         .detail = fmt::format("It is complete from {} on.", from),
         .hint = {}}};
}

Error too_late(const HistoryTable& table, const std::string& asked, const std::string& end) {
    return Error{
        {.kind = ErrorKind::too_late,
         .primary = fmt::format("history of table \"{}\" is not known at {}", table.name(), asked),
         .detail = fmt::format("The table is in quarantine, and its history ends at {}.", end),
         .hint = R"(See "pgchronicle status", and "pgchronicle repair release".)"}};
}

Moment moment_of_lsn(
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    std::optional<pgoutput::Lsn> asked
) {
    Moment moment{.lsn = asked.value_or(checkpoint.position), .at = std::nullopt, .final = true};
    if (*moment.lsn > checkpoint.position) moment.lsn = checkpoint.position;
    // Without a moment the next read gives another one.
    // Files may still be imported at the position itself.
    moment.final =
        asked && (table.imported ? *asked < checkpoint.position : *asked <= checkpoint.position);
    const auto text = to_string(asked.value_or(checkpoint.position));
    if (!table.consistent_from) throw not_ready(table);
    if (*moment.lsn < *table.consistent_from) {
        throw too_early(table, text, to_string(*table.consistent_from));
    }
    if (table.left_at && *moment.lsn > *table.left_at) {
        throw too_late(table, text, to_string(*table.left_at));
    }
    return moment;
}

/// Files come one after the other, at one LSN, or at one after the other, and each at a later time.
/// The moment of an imported table is the time of the last one by then, which stays the last one.
void find_import(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    Moment& moment
) {
    const bool by_lsn = !moment.at;
    const auto shown = by_lsn ? to_string(*moment.lsn) : *moment.at;
    const auto row = target.exec(
        fmt::format(
            "SELECT max(recorded_at) FILTER (WHERE {} <= $2::{}),"
            " coalesce(max(recorded_at) >= {}, false) FROM pgchronicle.import WHERE pipeline = $1",
            by_lsn ? "lsn" : "recorded_at",
            by_lsn ? "pg_lsn" : "timestamptz",
            by_lsn ? "NULL" : "$2::timestamptz"
        ),
        {settings.pipeline, shown}
    );
    moment.import_time = row.null(0, 0) ? table.consistent_from_time : value_of(row, 0, 0);
    // The next file's time is after that of every other.
    if (row.boolean(0, 1)) moment.final = true;
}

/// $1 is the time that is asked for: itself, and whether it is before, after, or past these.
pq::Result compare_times(
    pq::Connection& target,
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    const std::string& asked
) {
    const auto param = [](const std::optional<std::string>& value) {
        return value ? pq::Param::text(*value) : pq::Param::null();
    };
    const std::vector<pq::Param> params{
        pq::Param::text(asked),
        param(table.consistent_from_time),
        param(table.left_at_time),
        param(checkpoint.last_commit_time),
    };
    try {
        return target.exec(
            "SELECT $1::timestamptz, $1::timestamptz < $2::timestamptz,"
            " coalesce($1::timestamptz > $3::timestamptz, false),"
            " coalesce($1::timestamptz < $4::timestamptz, false)",
            params
        );
    } catch (const pq::Error& error) {
        if (!error.sqlstate().starts_with("22")) throw;
        throw bad_request(
            "time is not valid: " + error.primary(),
            error.detail(),
            "A time looks like 2026-11-21, or 2026-11-21T11:55:29Z; it is UTC unless it says "
            "otherwise."
        );
    }
}

Moment moment_of_time(
    pq::Connection& target,
    const HistoryTable& table,
    const Checkpoint& checkpoint,
    const std::string& asked
) {
    const auto row = compare_times(target, table, checkpoint, asked);
    Moment moment{.lsn = std::nullopt, .at = row.str(0, 0), .final = row.boolean(0, 3)};
    if (!table.consistent_from_time) throw not_ready(table);
    if (row.boolean(0, 1)) throw too_early(table, *moment.at, *table.consistent_from_time);
    if (row.boolean(0, 2)) throw too_late(table, *moment.at, *table.left_at_time);
    // A commit of this very time may still come: it is seen when the position passes it. Imported
    // versions have the position of others, and a time of their own.
    if (!moment.final && !table.imported) moment.lsn = checkpoint.position;
    return moment;
}

}  // namespace

AsOfRequest Moment::pinned() const {
    AsOfRequest request;
    if (lsn && !import_time) {
        request.lsn = lsn;
    } else {
        request.at = import_time ? import_time : at;
    }
    return request;
}

std::string
visible_sql(const HistoryTable& table, const Moment& moment, const std::string& prefix) {
    const auto& names = table.names;
    const bool by_lsn = moment.pinned().lsn.has_value();
    const auto from = prefix + quote_identifier(by_lsn ? names.lsn_from : names.valid_from);
    const auto to = prefix + quote_identifier(by_lsn ? names.lsn_to : names.valid_to);
    return fmt::format(
        "{0} <= $1::{2} AND ({1} > $1::{2} OR {1} IS NULL)",
        from,
        to,
        by_lsn ? "pg_lsn" : "timestamptz"
    );
}

Moment find_moment(
    pq::Connection& target,
    const config::Settings& settings,
    const HistoryTable& table,
    const AsOfRequest& request
) {
    if (request.lsn && request.at) {
        throw bad_request("as of an LSN or as of a time, not both");
    }
    const auto checkpoint = read_checkpoint(target, settings.pipeline);
    if (!checkpoint || table.columns.empty()) throw not_ready(table);
    auto moment = request.at ? moment_of_time(target, table, *checkpoint, *request.at)
                             : moment_of_lsn(table, *checkpoint, request.lsn);
    if (table.imported) find_import(target, settings, table, moment);
    return moment;
}

}  // namespace pgchronicle::reading
