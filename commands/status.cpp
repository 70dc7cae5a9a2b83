#include "commands/status.hpp"

#include "commands/connect.hpp"
#include "commands/status_obstacle.hpp"
#include "commands/status_rate.hpp"
#include "commands/status_report.hpp"
#include "config/units.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>
#include <ostream>

namespace pgchronicle::commands {
namespace {

using pgoutput::Lsn;

constexpr const char* command_name = "status";

/// What only the arithmetic of lag needs.
struct Clocks {
    double since_update_s{0};           ///< Since the position last moved, by the target's clock.
    std::optional<double> flush_lag_s;  ///< As the source measured it, while there is a stream.
};

/// What is known so far.
struct Look {
    StatusReport report{};
    Clocks clocks{};
    RunFacts run{};
    bool retrying{false};  ///< Who holds the lock waits for the source.
};

std::optional<Lsn> lsn_of(const pq::Result& result, int row, int column) {
    return pgoutput::parse_lsn(result.text(row, column));
}

constexpr const char* iso_time = R"('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')";

void read_checkpoint(pq::Connection& target, Look& look) {
    const auto& checkpoint = look.run.startup.checkpoint;
    if (!checkpoint) return;
    auto& report = look.report;
    report.position = checkpoint->position;
    report.last_commit_end = checkpoint->last_commit_end;
    const std::string time{iso_time};
    const auto row = target.exec(
        "SELECT to_char(last_commit_time AT TIME ZONE 'UTC', " + time +
            "), to_char(updated_at AT TIME ZONE 'UTC', " + time +
            "), extract(epoch FROM clock_timestamp() - updated_at)::double precision"
            " FROM pgchronicle.checkpoint WHERE pipeline = $1",
        {report.pipeline}
    );
    if (row.rows() == 0) return;
    report.last_commit_time = row.str(0, 0);
    report.updated_at = row.str(0, 1);
    look.clocks.since_update_s = std::stod(row.str(0, 2));
}

void read_tables(pq::Connection& target, StatusReport& report) {
    const auto rows = target.exec(
        "SELECT source_schema || '.' || source_table, target_schema || '.' || target_table,"
        " CASE WHEN (to_jsonb(t)->>'imported')::boolean THEN 'imported' ELSE state END,"
        " rows_copied, consistent_from FROM pgchronicle.table_state t WHERE pipeline = $1"
        " ORDER BY 1",
        {report.pipeline}
    );
    for (int row = 0; row < rows.rows(); ++row) {
        TableReport& table = report.tables.emplace_back();
        table.source = rows.str(row, 0);
        table.history = rows.str(row, 1);
        table.state = rows.str(row, 2);
        if (!rows.null(row, 3)) table.rows_copied = rows.int64(row, 3);
        table.consistent_from = lsn_of(rows, row, 4);
    }
}

void read_quarantines(pq::Connection& target, StatusReport& report) {
    // Older metadata has no such table, and `status` makes none.
    const auto there = target.exec("SELECT to_regclass('pgchronicle.quarantine') IS NOT NULL");
    if (!there.boolean(0, 0)) return;
    const std::string time{iso_time};
    const auto rows = target.exec(
        "SELECT source_schema || '.' || source_table, from_lsn,"
        " to_char(quarantined_at AT TIME ZONE 'UTC', " +
            time +
            "), message, detail, hint, released_at IS NOT NULL"
            " FROM pgchronicle.quarantine WHERE pipeline = $1 ORDER BY 1",
        {report.pipeline}
    );
    for (int row = 0; row < rows.rows(); ++row) {
        QuarantineReport& quarantine = report.quarantines.emplace_back();
        quarantine.table = rows.str(row, 0);
        quarantine.from = lsn_of(rows, row, 1).value_or(Lsn{});
        quarantine.since = rows.str(row, 2);
        quarantine.message = rows.str(row, 3);
        quarantine.detail = rows.str(row, 4);
        quarantine.hint = rows.str(row, 5);
        quarantine.released = rows.boolean(row, 6);
        const auto table = std::ranges::find(report.tables, quarantine.table, &TableReport::source);
        if (table != report.tables.end()) table->state = "quarantined";
    }
}

void read_gaps(pq::Connection& target, StatusReport& report) {
    const std::string time{iso_time};
    const auto rows = target.exec(
        "SELECT coalesce(source_schema || '.' || source_table, ''), from_lsn, to_lsn, reason,"
        " detail, to_char(created_at AT TIME ZONE 'UTC', " +
            time +
            "), id FROM pgchronicle.gap g WHERE pipeline = $1 AND repaired_at IS NULL"
            // Older metadata has no such column, and `status` makes none.
            " AND to_jsonb(g)->>'accepted_at' IS NULL ORDER BY id",
        {report.pipeline}
    );
    for (int row = 0; row < rows.rows(); ++row) {
        GapReport& gap = report.gaps.emplace_back();
        gap.table = rows.str(row, 0);
        gap.from = lsn_of(rows, row, 1).value_or(Lsn{});
        gap.to = lsn_of(rows, row, 2).value_or(Lsn{});
        gap.reason = rows.str(row, 3);
        gap.detail = rows.str(row, 4);
        gap.created_at = rows.str(row, 5);
        gap.id = rows.int64(row, 6);
    }
}

std::optional<history_writer::pg::Replay>
read_replay(pq::Connection& target, const std::string& pipeline) {
    // Older metadata has no such table, and `status` makes none.
    const auto there = target.exec("SELECT to_regclass('pgchronicle.replay') IS NOT NULL");
    if (!there.boolean(0, 0)) return std::nullopt;
    return history_writer::pg::read_replay(target, pipeline);
}

/// What the metadata knows of them; the source is asked later.
void read_kept(pq::Connection& target, StatusReport& report) {
    using history_writer::KeptSlot;
    for (const auto& kept : history_writer::pg::read_kept_slots(target)) {
        const auto copy = history_writer::schema_of_copy(report.pipeline, kept.pipeline);
        if (kept.pipeline != report.pipeline && !copy) continue;
        const bool bookmark = kept.purpose == KeptSlot::Purpose::bookmark;
        report.kept.push_back(
            {.purpose = bookmark ? "bookmark"
                        : copy   ? "copy"
                                 : "replay",
             .name = bookmark ? kept.name : copy.value_or(""),
             .slot = kept.slot,
             .state = kept.position ? "" : "unfinished",
             .position = kept.position,
             .retained_bytes = {}}
        );
    }
}

void ask_kept(pq::Connection& source, pgoutput::Lsn end, StatusReport& report) {
    for (auto& kept : report.kept) {
        const auto slot = source_catalog::read_slot(source, kept.slot);
        if (slot && slot->restart_lsn.valid()) {
            kept.retained_bytes = bytes_between(slot->restart_lsn, end);
        }
        if (!kept.state.empty()) continue;
        const bool lost =
            slot && (slot->wal_status == "lost" || !slot->invalidation_reason.empty());
        kept.state = lost ? "lost" : slot ? slot->wal_status : "gone";
    }
}

std::string hold_back_text(const config::HoldBack& window) {
    if (window.bytes != 0) return config::format_size(window.bytes);
    return window.any() ? config::format_duration(window.time) : std::string{};
}

std::string state_of(const Look& look) {
    const auto& report = look.report;
    const bool held = !report.lock_holder.empty();
    const bool pending = std::ranges::any_of(report.tables, [](const TableReport& table) {
        return table.state == "pending";
    });
    if (held && look.retrying) return "retrying";
    if (held && report.replay_from) return "replaying";
    if (held) return pending || !report.position ? "copying" : "streaming";
    const bool begun = report.position || !look.run.startup.history_empty;
    return begun ? "stopped" : "not_started";
}

/// What is to be known before the slot is looked at, and what takes time.
void ask_target_first(
    pq::Connection& target,
    const config::Settings& settings,
    std::chrono::milliseconds patience,
    Look& look
) {
    auto& report = look.report;
    report.lock_holder = history_writer::pg::pipeline_lock_holder(target, settings.pipeline, "");
    look.retrying = history_writer::pg::is_retrying(target, settings.pipeline);
    if (!history_writer::pg::has_metadata(target)) return;
    if (!report.lock_holder.empty()) {
        report.rows_per_second = rows_per_second(target, settings.pipeline, patience);
    }
    look.run.replay = read_replay(target, settings.pipeline);
    if (!look.run.replay || !look.run.replay->from) return;
    report.replay_from = look.run.replay->from;
    report.replay_until = look.run.replay->until;
}

void ask_slot(pq::Connection& source, const config::Settings& settings, Look& look) {
    auto& slot = look.report.slot;
    read_slots(source, settings, look.run);
    slot = look.run.startup.slot;
    if (!slot) return;
    const auto lag = source.exec(
        "SELECT extract(epoch FROM flush_lag)::double precision FROM pg_stat_replication"
        " WHERE pid = $1::integer AND flush_lag IS NOT NULL",
        {std::to_string(slot->active_pid)}
    );
    if (lag.rows() == 1) look.clocks.flush_lag_s = std::stod(lag.str(0, 0));
}

void ask_target(pq::Connection& target, const config::Settings& settings, Look& look) {
    auto& report = look.report;
    if (history_writer::pg::has_metadata(target)) {
        read_startup(target, settings, look.run);
        read_checkpoint(target, look);
        read_tables(target, report);
        read_quarantines(target, report);
        read_gaps(target, report);
        read_kept(target, report);
    }
    report.state = state_of(look);
}

void ask_source(pq::Connection& source, const config::Settings& settings, Look& look) {
    auto& report = look.report;
    look.run.startup.server = source_catalog::read_server(source);
    report.source_position = look.run.startup.server.flush_lsn;
    ask_kept(source, *report.source_position, report);
    if (report.slot && report.slot->restart_lsn.valid()) {
        report.retained_bytes = bytes_between(report.slot->restart_lsn, *report.source_position);
    }
    if (!report.lock_holder.empty() || !report.position) return;
    look.run.withdrawn = find_withdrawn(source, settings, report.tables);
}

/// Behind by how much. An idle source's position is stored every acknowledge.interval only: being
/// behind for no longer than that is being up to date.
void compute_lag(const config::Settings& settings, const Clocks& clocks, StatusReport& report) {
    if (!report.position || !report.source_position) return;
    report.lag_bytes = bytes_between(*report.position, *report.source_position);
    const double idle_s = 2 * std::chrono::duration<double>(settings.acknowledge.interval).count();
    double seconds = clocks.flush_lag_s.value_or(0);
    const bool late = clocks.since_update_s > idle_s || report.lock_holder.empty();
    if (*report.lag_bytes > 0 && late) seconds = std::max(seconds, clocks.since_update_s);
    report.lag_seconds = *report.lag_bytes == 0 ? 0 : seconds;
}

/// Asks over the connection that is kept, or a new one; the error where that fails.
template <typename Ask>
std::string
ask_over(std::optional<pq::Connection>& kept, const pq::ConnectOptions& options, Ask ask) {
    for (bool again = kept.has_value();; again = false) {
        try {
            if (!kept) kept = pq::Connection::open(options);
            ask(*kept);
            return {};
        } catch (const pq::Error& error) {
            kept.reset();
            // One that was lost meanwhile says nothing of the server.
            if (!again) return error.primary();
        }
    }
}

}  // namespace

StatusReport read_status(
    const config::Settings& settings,
    StatusConnections& connections,
    std::chrono::milliseconds patience
) {
    Look look;
    look.run = configured_facts(settings);
    auto& report = look.report;
    report.pipeline = settings.pipeline;
    report.slot_name = settings.source.slot;
    report.hold_back = hold_back_text(settings.acknowledge.hold_back);
    connections.versions_inserted.reset();
    const auto ask = [&](auto& kept, const auto& options, auto act) {
        const auto before = look;
        const auto again = [&](pq::Connection& connection) {
            look = before;
            act(connection);
        };
        auto problem = ask_over(kept, options, again);
        if (!problem.empty()) look = before;
        return problem;
    };
    const auto ask_of_target = [&](auto act) {
        if (!report.target_error.empty()) return;
        auto problem = ask(connections.target, connections.target_options, act);
        if (problem.empty()) return;
        report.target_error = std::move(problem);
        report.lock_holder.clear();
    };
    const auto ask_of_source = [&](auto act) {
        if (!connections.asks_source || !report.source_error.empty()) return;
        report.source_error = ask(connections.source, connections.source_options, act);
    };
    ask_of_target([&](pq::Connection& target) {
        ask_target_first(target, settings, patience, look);
    });
    ask_of_source([&](pq::Connection& source) { ask_slot(source, settings, look); });
    ask_of_target([&](pq::Connection& target) {
        ask_target(target, settings, look);
        if (patience.count() != 0 || !report.position) return;
        connections.versions_inserted = rows_inserted(target, settings.pipeline);
    });
    ask_of_source([&](pq::Connection& source) { ask_source(source, settings, look); });
    if (report.target_error.empty()) {
        const bool asked = connections.asks_source && report.source_error.empty();
        report.obstacle = obstacle_of(look.run, asked);
    }
    compute_lag(settings, look.clocks, report);
    return report;
}

int status(const config::Settings& settings, const StatusOptions& options, std::ostream& out) {
    StatusConnections connections{
        connect_options(settings.target.connection, command_name),
        connect_options(settings.source.connection, command_name)};
    const auto report = read_status(settings, connections, options.patience);
    switch (options.format) {
    case reading::Format::table:
        print_text(report, out, options.colours);
        break;
    case reading::Format::csv:
        print_csv(report, out);
        break;
    case reading::Format::json:
        print_json(report, out);
        break;
    }
    constexpr int target_unreachable = 1;
    return report.target_error.empty() ? 0 : target_unreachable;
}

}  // namespace pgchronicle::commands
