#include "history_writer/pg/pg_history_sink.hpp"

#include "failpoint/failpoint.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/interference.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/position_marks.hpp"
#include "history_writer/pg/sql_parts.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "pq/array_text.hpp"
#include "pq/push.hpp"

#include <algorithm>
#include <utility>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;

namespace {

constexpr const char* checkpoint_statement = "pgchronicle_checkpoint";
constexpr const char* untouched_statement = "pgchronicle_untouched";
constexpr const char* wal_statement = "pgchronicle_wal";

/// Fails with division_by_zero unless one row says what it is told to: somebody else may have moved
/// or deleted it, or something may have kept it from moving.
constexpr const char* checkpoint_sql =
    "WITH moved AS (UPDATE pgchronicle.checkpoint"
    " SET position = $2::pg_lsn, last_commit_end = $3::pg_lsn,"
    " last_commit_time = coalesce($4::timestamptz, last_commit_time),"
    " slot_start_time = coalesce(slot_start_time, $5::timestamptz),"
    " updated_at = clock_timestamp()"
    " WHERE pipeline = $1 AND position = $6::pg_lsn RETURNING position, last_commit_end)"
    " SELECT 1 / (count(*) = 1 AND bool_and(position = $2::pg_lsn AND last_commit_end = $3::pg_lsn)"
    ")::integer FROM moved";

Lsn lsn_of(const pq::Result& result, int column) {
    return pgoutput::parse_lsn(result.text(0, column)).value_or(Lsn{});
}

/// As pg::for_table: its errors are those of one history table.
template <typename Act>
decltype(auto) writing(const HistoryTable& table, Act&& act) {
    return for_table(table, "written", std::forward<Act>(act));
}

}  // namespace

PgHistorySink::PgHistorySink(
    pq::Connection& target,
    std::string pipeline,
    const Checkpoint& checkpoint
)
    : target_{target},
      pipeline_{std::move(pipeline)},
      on_change_{target_, pipeline_},
      slot_start_{checkpoint.slot_start},
      slot_start_time_{checkpoint.slot_start_time},
      last_commit_end_{checkpoint.last_commit_end} {
    stored_.committed = checkpoint.position;
    target_.prepare(checkpoint_statement, checkpoint_sql);
    target_.prepare(untouched_statement, untouched_sql());
    target_.prepare(
        wal_statement, "SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()"
    );
    // What was read may have been committed just now by a process that died: only a flush that
    // comes after it tells that it is on disk.
    const auto wal = target_.exec_prepared(wal_statement, {});
    unflushed_.push_back({stored_.committed, lsn_of(wal, 0)});
    note_flushed(lsn_of(wal, 1));
}

TableWriter& PgHistorySink::writer_of(const std::shared_ptr<const HistoryTable>& table) {
    auto& writer = writers_[table];
    if (!writer) {
        writer = writing(*table, [&] {
            return std::make_unique<TableWriter>(target_, pipeline_, table, writers_made_++);
        });
        auto& latest = latest_[{table->target_schema, table->target_table}];
        if (latest && latest != table) superseded_.push_back(latest);
        latest = table;
    }
    return *writer;
}

void PgHistorySink::retire(const std::shared_ptr<const HistoryTable>& table) {
    const auto writer = writers_.find(table);
    if (writer == writers_.end()) return;
    writer->second->retire();
    writers_.erase(writer);
}

/// Each commit empties all staging tables of the session, and looks through all its statements for
/// each; so those of former shapes must not be many.
void PgHistorySink::retire_superseded() {
    std::erase_if(superseded_, [&](const auto& table) {
        if (written_.contains(table)) return false;
        retire(table);
        indexed_.erase(table);
        return true;
    });
}

void PgHistorySink::will_write(const std::shared_ptr<const HistoryTable>& table) {
    writer_of(table);
    on_change_.prepare(table);
    written_.insert(table);
}

void PgHistorySink::ensure_index(const TableChanges& changes) {
    // Before its copy a table may have no index yet, and does without while only new rows come.
    // Every close or fill, however, looks up the newest version of its key.
    if (!changes.table->below_seam || (changes.closes.empty() && changes.fills.empty())) return;
    if (!indexed_.insert(changes.table).second) return;
    writing(*changes.table, [&] { target_.exec(create_index_sql(*changes.table)); });
    // Its statements go by the kind of index that the table has.
    retire(changes.table);
}

void PgHistorySink::begin(const ChangeBatch& batch) {
    // Statements are prepared outside of the transaction, which the pipeline then opens.
    for (const auto& stretch : batch.stretches) {
        for (const auto& table : stretch.tables) {
            ensure_index(*table);
            will_write(table->table);
        }
        for (const auto& truncate : stretch.truncates) will_write(truncate.table);
    }
    for (const auto& collapse : batch.collapses) will_write(collapse.table);
    if (in_transaction_) return;
    retire_superseded();
    failpoint(Failpoint::before_target_begin);
    if (!slot_start_time_ && !batch.transactions.empty()) {
        slot_start_time_ = batch.transactions.front().recorded_time;
    }
}

void PgHistorySink::write_stretch(const ChangeBatch& batch, Stretch& stretch) {
    for (const auto& changes : stretch.tables) {
        const auto& table = *changes->table;
        if (!table.may_say_nothing() || changes->closes.empty()) continue;
        if (!in_transaction_) target_.exec("BEGIN");
        in_transaction_ = true;
        writing(table, [&] { writer_of(changes->table).drop_unchanged(batch, *changes); });
    }
    close_versions(batch, stretch);
    failpoint(Failpoint::between_close_and_open);
    for (const auto& changes : stretch.tables) {
        writing(*changes->table, [&] {
            writer_of(changes->table).write_versions(batch, *changes);
        });
    }
    for (const auto& truncate : stretch.truncates) {
        writing(*truncate.table, [&] { writer_of(truncate.table).truncate(batch, truncate); });
    }
}

void PgHistorySink::close_versions(const ChangeBatch& batch, const Stretch& stretch) {
    // What the commands of the pipeline are about, one after the other.
    std::vector<const TableChanges*> sent;
    const bool begins = !in_transaction_;
    target_.enter_pipeline();
    if (begins) target_.send("BEGIN");
    for (const auto& changes : stretch.tables) {
        auto& writer = writer_of(changes->table);
        if (changes->closes.empty() || !writer.closes_by_arrays(*changes)) continue;
        writer.send_closes(batch, *changes);
        sent.push_back(changes.get());
    }
    const auto results = sync_closes(sent, begins);
    auto result = results.begin() + (begins ? 1 : 0);
    in_transaction_ = true;
    const SeamStart start{slot_start_, slot_start_time_.value_or(pgoutput::PgTimestamp{})};
    for (const auto& changes : stretch.tables) {
        if (changes->closes.empty()) continue;
        auto& writer = writer_of(changes->table);
        writing(*changes->table, [&] {
            if (writer.closes_by_arrays(*changes)) {
                writer.check_closes(*changes, (result++)->affected());
            } else {
                writer.write_staged_closes(batch, *changes, start);
            }
        });
    }
}

std::vector<pq::Result>
PgHistorySink::sync_closes(const std::vector<const TableChanges*>& sent, bool begins) {
    try {
        return target_.sync_pipeline();
    } catch (const pq::Error& error) {
        const std::size_t first = begins ? 1 : 0;
        const auto failed = error.commands_before();
        if (!is_of_table(error) || failed < first || failed - first >= sent.size()) throw;
        throw failure_of(*sent[failed - first]->table, "written", error);
    }
}

Stored PgHistorySink::write(ChangeBatch& batch) {
    begin(batch);
    for (auto& stretch : batch.stretches) {
        if (stretch.tables.empty() && stretch.truncates.empty()) continue;
        write_stretch(batch, stretch);
    }
    for (const auto& collapse : batch.collapses) {
        writing(*collapse.table, [&] {
            writer_of(collapse.table).collapse(batch.transactions[collapse.transaction]);
        });
    }
    if (batch.continues) return stored_;
    on_change_.call(written_, last_commit_end_, batch.last_commit_end);
    failpoint(Failpoint::after_rows_before_checkpoint);
    commit(batch);
    failpoint(Failpoint::after_commit_before_ack);
    return stored_;
}

void PgHistorySink::commit(const ChangeBatch& batch) {
    const auto position = to_string(batch.position);
    last_commit_end_ = std::max(last_commit_end_, batch.last_commit_end);
    const auto last_commit_end = to_string(last_commit_end_);
    const auto previous = to_string(stored_.committed);
    const auto time = batch.last_recorded_time ? timestamp_text(*batch.last_recorded_time) : "";
    const auto start = slot_start_time_ ? timestamp_text(*slot_start_time_) : "";
    const auto optional = [](const std::string& text) {
        return text.empty() ? pq::Param::null() : pq::Param::text(text);
    };
    const pq::Param params[] = {
        pq::Param::text(pipeline_),
        pq::Param::text(position),
        pq::Param::text(last_commit_end),
        optional(time),
        optional(start),
        pq::Param::text(previous)};

    target_.enter_pipeline();
    const bool opened = in_transaction_;
    if (!opened) target_.send("BEGIN");
    target_.send_prepared(checkpoint_statement, params);
    const auto written = written_tables();
    const auto tables = pq::Param::text(written);
    if (!written_.empty()) target_.send_prepared(untouched_statement, {&tables, 1});
    if (mark_due()) send_position_mark(target_, params[0], params[1], mark_window_);
    pq::push(target_);
    failpoint(Failpoint::after_checkpoint_before_commit);
    target_.send("COMMIT");
    target_.send_prepared(wal_statement, {});
    pq::push(target_);
    failpoint(Failpoint::commit_sent_no_reply);
    std::vector<pq::Result> results;
    try {
        results = target_.sync_pipeline();
    } catch (const pq::Error& error) {
        constexpr const char* division_by_zero = "22012";
        if (error.sqlstate() != division_by_zero) throw_deferred(error);
        explain_refused_commit();
    }
    in_transaction_ = false;
    written_.clear();
    stored_.committed = batch.position;
    unflushed_.push_back({batch.position, lsn_of(results.back(), 0)});
    note_flushed(lsn_of(results.back(), 1));
}

void PgHistorySink::throw_deferred(const pq::Error& error) {
    for (const auto& [table, writer] : writers_) {
        if (table->target_schema != error.schema() || table->target_table != error.table())
            continue;
        if (is_of_table(error)) throw failure_of(*table, "written", error);
    }
    throw error;
}

std::string PgHistorySink::written_tables() const {
    std::vector<std::string> names;
    for (const auto& table : written_) {
        names.push_back(qualified_name(*table));
    }
    return pq::array_text(names);
}

void PgHistorySink::explain_refused_commit() {
    target_.exec("ROLLBACK");
    require_position(target_, pipeline_, stored_.committed);
    require_untouched(target_, {written_.begin(), written_.end()});
    throw TargetMismatch{
        "something in the target kept a transaction from being written as it is",
        "It is not there any more.",
        "It may have been a trigger that somebody has just removed. Nothing was written; start "
        "again."};
}

void PgHistorySink::mark_positions(
    std::chrono::milliseconds window,
    std::chrono::milliseconds spacing
) {
    mark_window_ = window;
    mark_spacing_ = spacing;
}

bool PgHistorySink::mark_due() {
    const auto now = std::chrono::steady_clock::now();
    if (mark_window_.count() == 0 || now - marked_ < mark_spacing_) return false;
    marked_ = now;
    return true;
}

void PgHistorySink::note_flushed(Lsn flushed) {
    while (!unflushed_.empty() && unflushed_.front().wal_end <= flushed) {
        stored_.flushed = std::max(stored_.flushed, unflushed_.front().position);
        unflushed_.pop_front();
    }
}

Stored PgHistorySink::poll_flushed() {
    if (!unflushed_.empty() && !in_transaction_) {
        note_flushed(lsn_of(target_.exec_prepared(wal_statement, {}), 1));
    }
    return stored_;
}

Stored PgHistorySink::flush() {
    // A synchronous commit flushes everything before it, however slow the target's WAL writer is.
    if (unflushed_.empty() || in_transaction_) return stored_;
    target_.exec("BEGIN; SET LOCAL synchronous_commit = on");
    const auto touched = target_.exec(
        "UPDATE pgchronicle.checkpoint SET updated_at = clock_timestamp() WHERE pipeline = $1"
        " AND position = $2::pg_lsn",
        {pipeline_, to_string(stored_.committed)}
    );
    if (touched.affected() != 1) explain_refused_commit();
    target_.exec("COMMIT");
    return poll_flushed();
}

}  // namespace pgchronicle::history_writer::pg
