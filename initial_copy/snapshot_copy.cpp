#include "initial_copy/snapshot_copy.hpp"

#include "failpoint/failpoint.hpp"
#include "history_writer/pg/compression.hpp"
#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/quarantine_store.hpp"
#include "history_writer/pg/reconciliation.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/stage_sql.hpp"
#include "initial_copy/compare_sql.hpp"
#include "initial_copy/stamped_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <thread>
#include <unistd.h>

namespace pgchronicle::initial_copy {

using history_writer::pg::CompareAs;
using history_writer::pg::create_index_sql;
using history_writer::pg::extend_lost_gaps;
using history_writer::pg::qualified_name;

/// One table on its way.
struct SnapshotCopy::Job {
    PendingTable pending;
    std::string into;  ///< The history table, or a staging table.
    bool staged{false};
    std::size_t chunks_left{0};
    std::atomic<std::uint64_t> rows{0};
};

struct SnapshotCopy::Chunk {
    Job* job{nullptr};
    std::optional<BlockRange> range;
};

namespace {

/// As pg::for_table: the target's errors are those of one history table.
template <typename Act>
decltype(auto) copying(const HistoryTable& table, Act&& act) {
    return history_writer::pg::for_table(table, "copied", std::forward<Act>(act));
}

/// PostgreSQL's default; a server built otherwise only gets other chunk sizes.
constexpr std::uint64_t block_bytes = 8192;
constexpr std::chrono::seconds report_interval{3};
/// A copy that was overtaken looks after each chunk. What takes longer is frozen, and the operator
/// should hear of it.
constexpr std::chrono::seconds predecessor_timeout{5};

/// Begins a transaction that no writer of `table` runs beside. Who wrote when we took the
/// pipeline's lock was our predecessor, and has lost the right to begin anew.
void begin_alone(pq::Connection& target, const HistoryTable& table) {
    const auto name = qualified_name(table);
    try {
        target.exec(fmt::format(
            "BEGIN; SET LOCAL lock_timeout = {};"
            " LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE; SET LOCAL lock_timeout = 0",
            std::chrono::milliseconds{predecessor_timeout}.count(),
            name
        ));
    } catch (const pq::Error& error) {
        constexpr const char* lock_not_available = "55P03";
        if (error.sqlstate() != lock_not_available) throw;
        target.exec("ROLLBACK");
        const auto writers = target.exec(
            "SELECT DISTINCT pg_catalog.format('process %s (\"%s\")', l.pid, a.application_name)"
            " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)"
            " WHERE l.relation = $1::pg_catalog.regclass AND l.granted"
            " AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()",
            {name}
        );
        std::string list;
        for (int i = 0; i < writers.rows(); ++i) list += (i == 0 ? "" : ", ") + writers.str(i, 0);
        throw pq::Error{
            {lock_not_available,
             "history of table \"" + table.source_schema + "." + table.source_table +
                 "\" is still being written by somebody else",
             "By " + (list.empty() ? "a process that has just gone" : list) + ".",
             "It may be a copy that was interrupted; it is tried again.",
             "",
             false}};
    }
}

}  // namespace

SnapshotCopy::SnapshotCopy(CopyOptions options, log::Logger& log, std::stop_token stop)
    : options_{std::move(options)}, log_{log}, stop_{std::move(stop)} {}

SnapshotCopy::~SnapshotCopy() = default;

pgoutput::Lsn SnapshotCopy::prepare(const std::vector<PendingTable>& tables) {
    // Nothing is discarded of a table that is compared, but whoever compared it before us must have
    // ended: it would take what is streamed from here on for differences.
    for (const auto& pending : tables) {
        if (pending.compare_as == CompareAs::nothing) continue;
        auto target = pq::Connection::open(options_.target);
        copying(*pending.table, [&] {
            begin_alone(target, *pending.table);
            target.exec("COMMIT");
        });
    }
    source_ = take_snapshot(options_.snapshot, tables, stop_);
    return source_.stamp.seam;
}

/// Begins a transaction that may write `table`; see SnapshotCopy for why in this order.
void SnapshotCopy::begin(pq::Connection& target, const HistoryTable& table) {
    target.exec("BEGIN; LOCK TABLE " + qualified_name(table) + " IN ROW EXCLUSIVE MODE");
    using history_writer::pg::holds_pipeline_lock;
    if (holds_pipeline_lock(target, options_.pipeline, options_.writer_pid)) return;
    throw pq::Error{
        {"08003",
         "lock of pipeline \"" + options_.pipeline + "\" was lost during the copy",
         "The connection that held it has ended.",
         "The tables that are not finished are copied again by whoever holds it next.",
         "",
         false}};
}

/// Ends a transaction that has written `table`.
void SnapshotCopy::commit(pq::Connection& target, const HistoryTable& table) {
    history_writer::pg::require_untouched(target, table);
    target.exec("COMMIT");
}

void SnapshotCopy::plan(const std::vector<PendingTable>& tables, pq::Connection& target) {
    for (const auto& pending : tables) {
        auto job = std::make_unique<Job>();
        job->pending = pending;
        copying(*pending.table, [&] { make_room(target, *job); });

        const auto pages = pending.source.pages;
        const auto step = std::max<std::uint64_t>(1, options_.chunk_bytes / block_bytes);
        constexpr char ordinary = 'r';
        if (pending.source.kind == ordinary && pages > step) {
            for (std::uint64_t from = 0; from < pages; from += step) {
                const bool last = from + step >= pages;
                chunks_.push_back({job.get(), BlockRange{from, last ? 0 : from + step}});
                ++job->chunks_left;
            }
        } else {
            chunks_.push_back({job.get(), std::nullopt});
            job->chunks_left = 1;
        }
        bytes_expected_ += pages * block_bytes;
        jobs_.push_back(std::move(job));
    }
}

void SnapshotCopy::make_room(pq::Connection& target, Job& job) {
    const auto& table = *job.pending.table;
    const auto name = qualified_name(table);
    begin(target, table);
    const bool empty = target.exec(fmt::format("SELECT 1 FROM {} LIMIT 1", name)).rows() == 0;
    // Of a first copy there is nothing to compare where the stream has left nothing.
    if (job.pending.begun && empty) job.pending.compare_as = CompareAs::nothing;
    job.staged = job.pending.compare_as != CompareAs::nothing || !empty;
    job.into = job.staged ? staging_name(table, options_.pipeline) : name;
    if (job.staged) target.exec(create_staging_sql(table, job.into));
    target.exec("COMMIT");
}

void SnapshotCopy::run(const std::vector<PendingTable>& tables) {
    started_ = std::chrono::steady_clock::now();
    bar_ = ::isatty(STDERR_FILENO) == 1;
    {
        auto target = pq::Connection::open(options_.target);
        plan(tables, target);
    }
    log_.info(
        "copy_started",
        {{"tables", tables.size()},
         {"seam", to_string(source_.stamp.seam)},
         {"source_bytes", bytes_expected_}}
    );
    std::vector<std::jthread> workers;
    for (auto& source : source_.connections) {
        workers.emplace_back([this, &source] {
            try {
                work(source);
            } catch (...) {
                const std::lock_guard lock{mutex_};
                if (!failure_) failure_ = std::current_exception();
                chunks_.clear();
            }
        });
    }
    std::condition_variable_any never;
    std::mutex waiting;
    std::atomic<bool> finished{false};
    std::jthread reporter{[&](const std::stop_token& done) {
        std::unique_lock lock{waiting};
        while (!never.wait_for(lock, done, report_interval, [&] { return finished.load(); })) {
            if (done.stop_requested()) return;
            report(false);
        }
    }};
    for (auto& worker : workers) worker.join();
    reporter.request_stop();
    reporter.join();
    report(true);
    if (failure_) std::rethrow_exception(failure_);
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    log_.info(
        "copy_done",
        {{"rows", rows_.load()}, {"seconds", std::chrono::duration<double>(elapsed).count()}}
    );
}

void SnapshotCopy::report(bool last) {
    const auto elapsed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    const auto rate =
        static_cast<std::uint64_t>(static_cast<double>(rows_) / std::max(elapsed, 0.001));
    // Rows on the wire are somewhat smaller than on the heap: the share is an estimate.
    const double share =
        bytes_expected_ == 0
            ? 1.0
            : std::min(1.0, static_cast<double>(bytes_) / static_cast<double>(bytes_expected_));
    if (!bar_) {
        if (!last) {
            log_.info(
                "copy_progress",
                {{"rows", rows_.load()}, {"bytes", bytes_.load()}, {"rows_per_second", rate}}
            );
        }
        return;
    }
    constexpr std::size_t width = 40;
    const auto filled = last ? width : static_cast<std::size_t>(share * width);
    const auto line = fmt::format(
        "\r[{:#<{}}{:.<{}}] {} rows, {} rows/s {}",
        "",
        filled,
        "",
        width - filled,
        rows_.load(),
        rate,
        last ? "\n" : ""
    );
    std::fputs(line.c_str(), stderr);
}

void SnapshotCopy::work(pq::Connection& source) {
    auto target = pq::Connection::open(options_.target);
    history_writer::pg::prefer_lz4(target);
    // A stop cuts the connections, so that a COPY that runs ends at once.
    const std::stop_callback cut{stop_, [&] {
                                     source.interrupt(true);
                                     target.interrupt(true);
                                 }};
    for (;;) {
        Chunk chunk;
        {
            const std::lock_guard lock{mutex_};
            if (chunks_.empty() || failure_) return;
            chunk = chunks_.front();
            chunks_.pop_front();
        }
        copy(source, target, chunk);
        bool table_done = false;
        {
            const std::lock_guard lock{mutex_};
            table_done = --chunk.job->chunks_left == 0;
        }
        if (!table_done) continue;
        copying(*chunk.job->pending.table, [&] { finish(target, *chunk.job); });
    }
}

namespace {

/// The error with the name of the table, which servers do not always say.
pq::Error about_table(const pq::Error& error, const HistoryTable& table) {
    auto detail = error.detail();
    if (!detail.empty()) detail += ' ';
    detail += "Table \"" + table.source_schema + "." + table.source_table + "\" was being copied.";
    return pq::Error{
        {error.sqlstate(),
         error.primary(),
         std::move(detail),
         error.hint(),
         error.context(),
         error.connection_lost(),
         error.constraint()}};
}

}  // namespace

void SnapshotCopy::copy(pq::Connection& source, pq::Connection& target, const Chunk& chunk) {
    const auto& table = *chunk.job->pending.table;
    copying(table, [&] { begin(target, table); });
    try {
        Bytes stamp;
        source.copy_out(stamp_sql(source_.stamp), [&](std::span<const std::byte> message) {
            if (stamp.empty()) history_writer::append(stamp, message);  // The other is the end.
        });
        copying(table, [&] { target.begin_copy_in(copy_in_sql(table, chunk.job->into)); });
        StampedRows rows{first_row(stamp), [&](std::span<const std::byte> piece) {
                             copying(table, [&] { target.put_copy(piece); });
                             bytes_.fetch_add(piece.size(), std::memory_order_relaxed);
                         }};
        source.copy_out(
            copy_out_sql(chunk.job->pending.source, table, source_.stamp, chunk.range),
            [&](std::span<const std::byte> message) {
                rows.add(message);
                rows_.fetch_add(1, std::memory_order_relaxed);
            }
        );
        rows.flush();
        copying(table, [&] {
            const auto stored = target.end_copy_in();
            history_writer::pg::require_stored(target, table, rows.rows(), stored);
            chunk.job->rows += stored;
            commit(target, table);
        });
    } catch (const pq::Error& error) {
        throw about_table(error, table);
    }
    rows_.fetch_sub(1, std::memory_order_relaxed);  // The end marker came as a row of its own.
}

void SnapshotCopy::merge(pq::Connection& target, const Job& job) {
    const auto& table = *job.pending.table;
    const pq::Param pipeline = pq::Param::text(options_.pipeline);
    target.exec("ANALYZE " + job.into);
    target.exec(merge_sql(table, job.into));
    if (!table.keyed) return;
    target.exec("ANALYZE pgchronicle.pending_value");
    target.exec(find_resolvable_sql(table, options_.pipeline));
    const auto names = target.exec("SELECT DISTINCT name FROM pg_temp.resolvable");
    for (int row = 0; row < names.rows(); ++row) {
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            if (table.columns[i].name != names.text(row, 0)) continue;
            target.exec(fill_pending_sql(table, job.into, i), {&pipeline, 1});
        }
    }
    target.exec(settle_pending_sql(table), {&pipeline, 1});
    give_up_pending(target, table);
}

/// What versions below the seam still wait for, nobody knows.
void SnapshotCopy::give_up_pending(pq::Connection& target, const HistoryTable& table) {
    const auto start = target.exec(
        "SELECT slot_start FROM pgchronicle.checkpoint WHERE pipeline = $1", {options_.pipeline}
    );
    target.exec(
        history_writer::pg::unknown_values_sql(table),
        {options_.pipeline, start.str(0, 0), to_string(source_.stamp.seam)}
    );
    target.exec(
        "DELETE FROM pgchronicle.pending_value WHERE pipeline = $1 AND target_schema = $2"
        " AND target_table = $3",
        {options_.pipeline, table.target_schema, table.target_table}
    );
}

void SnapshotCopy::compare(pq::Connection& target, const Job& job) {
    const auto& table = *job.pending.table;
    const auto time = target.exec(
        "SELECT GREATEST(last_commit_time, $2::timestamptz) FROM pgchronicle.checkpoint"
        " WHERE pipeline = $1",
        {options_.pipeline, source_.stamp.time}
    );
    const auto operation = job.pending.compare_as == CompareAs::rewrite
                               ? history_writer::Operation::rewrite
                               : history_writer::Operation::reconcile;
    for (const auto& sql :
         compare_sql(table, job.into, operation, source_.stamp.seam, time.str(0, 0))) {
        target.exec(sql);
    }
    // What the stream has left of a first copy may be as of before a gap, and so no copy knows what
    // it waits for.
    if (job.pending.begun && table.keyed) give_up_pending(target, table);
    extend_lost_gaps(target, options_.pipeline, table, source_.stamp.seam);
    target.exec(
        "UPDATE pgchronicle.gap SET to_lsn = $4::pg_lsn, repaired_at = now() WHERE pipeline = $1"
        " AND source_schema = $2 AND source_table = $3 AND reason = 'not_published'"
        " AND repaired_at IS NULL",
        {options_.pipeline, table.source_schema, table.source_table, to_string(source_.stamp.seam)}
    );
}

void SnapshotCopy::finish(pq::Connection& target, Job& job) {
    const auto& table = *job.pending.table;
    begin(target, table);
    target.exec("SET LOCAL synchronous_commit = on");
    target.exec(create_index_sql(table));
    if (job.pending.compare_as != CompareAs::nothing) {
        compare(target, job);
    } else if (job.staged) {
        merge(target, job);
    }
    const auto noted = target.exec(
        "UPDATE pgchronicle.table_state SET state = 'copied',"
        " seam = CASE WHEN state = 'copied' THEN seam ELSE $4::pg_lsn END,"
        " consistent_from = CASE WHEN state = 'copied' THEN consistent_from ELSE $4::pg_lsn END,"
        " seam_time = CASE WHEN state = 'copied' THEN seam_time ELSE $5::timestamptz END,"
        " compared = CASE WHEN compare_as IS NOT NULL THEN $4::pg_lsn ELSE compared END,"
        " compare_as = NULL, rows_copied = $6::bigint, copied_at = now() WHERE pipeline = $1 AND "
        "source_schema = $2 AND source_table = $3",
        {options_.pipeline,
         table.source_schema,
         table.source_table,
         to_string(source_.stamp.seam),
         source_.stamp.seam_time,
         std::to_string(job.rows)}
    );
    // Nothing that is recorded from here on may lie before the snapshot's time.
    const auto clamped = target.exec(
        "UPDATE pgchronicle.checkpoint SET last_commit_time ="
        " GREATEST(last_commit_time, $2::timestamptz) WHERE pipeline = $1",
        {options_.pipeline, source_.stamp.time}
    );
    if (noted.affected() != 1 || clamped.affected() != 1) {
        throw history_writer::pg::CheckpointMismatch{
            "what is known of pipeline \"" + options_.pipeline + "\" has disappeared",
            "Its row in pgchronicle.checkpoint, or that of table \"" + table.source_schema + "." +
                table.source_table + "\" in pgchronicle.table_state, is gone.",
            "Restore it as it was. The copy of the table was not kept, and is made again."};
    }
    history_writer::pg::end_quarantine(target, options_.pipeline, table, source_.stamp.seam);
    // In here, for after the commit it could be a successor's.
    if (job.staged) target.exec("DROP TABLE " + job.into);
    commit(target, table);
    failpoint(Failpoint::table_copied);
    target.exec("ANALYZE " + qualified_name(table));
    log_.info(
        "copy_table_done",
        {{"table", table.source_schema + "." + table.source_table},
         {"rows", job.rows.load()},
         {"seam", to_string(source_.stamp.seam)}}
    );
}

namespace {

bool is_copied(pq::Connection& target, const HistoryTable& table) {
    const auto copied = target.exec(
        "SELECT EXISTS (SELECT FROM pgchronicle.table_state"
        " WHERE target_schema = $1 AND target_table = $2 AND state = 'copied')",
        {table.target_schema, table.target_table}
    );
    return copied.boolean(0, 0);
}

void remove_partial(pq::Connection& target, const HistoryTable& table) {
    begin_alone(target, table);
    if (is_copied(target, table)) {
        target.exec("ROLLBACK");
        throw pq::Error{
            {"40001",
             "table \"" + table.source_schema + "." + table.source_table +
                 "\" was copied by another process meanwhile",
             "",
             "",
             "",
             false}};
    }
    const auto found = target.exec(other_rows_sql(table));
    if (found.boolean(0, 0)) {
        target.exec(
            found.boolean(0, 1) ? remove_partial_copy_sql(table)
                                : "TRUNCATE " + qualified_name(table)
        );
    }
    target.exec("COMMIT");
}

}  // namespace

void discard_partial(pq::Connection& target, const HistoryTable& table) {
    copying(table, [&] { remove_partial(target, table); });
}

}  // namespace pgchronicle::initial_copy
