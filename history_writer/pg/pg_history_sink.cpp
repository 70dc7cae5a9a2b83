#include "history_writer/pg/pg_history_sink.hpp"

#include "failpoint/failpoint.hpp"
#include "history_writer/pg/sql_text.hpp"
#include "history_writer/pg/text_literals.hpp"
#include "pq/push.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pgchronicle::history_writer::pg {

using pgoutput::Lsn;

namespace {

constexpr const char* checkpoint_statement = "pgchronicle_checkpoint";
constexpr const char* wal_statement = "pgchronicle_wal";

Lsn lsn_of(const pq::Result& result, int column) {
    return pgoutput::parse_lsn(result.text(0, column)).value_or(Lsn{});
}

}  // namespace

PgHistorySink::PgHistorySink(
    pq::Connection& target,
    std::string pipeline,
    const Checkpoint& checkpoint
)
    : target_{target},
      pipeline_{std::move(pipeline)},
      slot_start_{checkpoint.slot_start},
      slot_start_time_{checkpoint.slot_start_time},
      last_commit_end_{checkpoint.last_commit_end} {
    stored_.committed = checkpoint.position;
    // Comparing the position makes the write fail where anybody else has moved it.
    target_.prepare(
        checkpoint_statement,
        "UPDATE pgchronicle.checkpoint SET position = $2::pg_lsn, last_commit_end = $3::pg_lsn,"
        " last_commit_time = coalesce($4::timestamptz, last_commit_time),"
        " slot_start_time = coalesce(slot_start_time, $5::timestamptz), updated_at = "
        "clock_timestamp()"
        " WHERE pipeline = $1 AND position = $6::pg_lsn"
    );
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
        writer = std::make_unique<TableWriter>(target_, pipeline_, table, writers_made_++);
    }
    return *writer;
}

void PgHistorySink::ensure_index(const TableChanges& changes) {
    // Before its copy a table may have no index yet, and does without while only new rows come.
    // Every close or fill, however, looks up the newest version of its key.
    if (!changes.table->below_seam || (changes.closes.empty() && changes.fills.empty())) return;
    if (!indexed_.insert(changes.table).second) return;
    target_.exec(create_index_sql(*changes.table));
    // Its statements go by the kind of index that the table has.
    writers_.erase(changes.table);
}

void PgHistorySink::begin(const ChangeBatch& batch) {
    // Statements are prepared outside of the transaction, which the pipeline then opens.
    for (const auto& stretch : batch.stretches) {
        for (const auto& table : stretch.tables) {
            ensure_index(*table);
            writer_of(table->table);
        }
        for (const auto& truncate : stretch.truncates) writer_of(truncate.table);
    }
    for (const auto& collapse : batch.collapses) writer_of(collapse.table);
    if (in_transaction_) return;
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
        writer_of(changes->table).drop_unchanged(batch, *changes);
    }
    target_.enter_pipeline();
    if (!in_transaction_) target_.send("BEGIN");
    for (const auto& changes : stretch.tables) {
        auto& writer = writer_of(changes->table);
        if (!changes->closes.empty() && writer.closes_by_arrays(*changes)) {
            writer.send_closes(batch, *changes);
        }
    }
    const auto results = target_.sync_pipeline();
    auto result = results.begin() + (in_transaction_ ? 0 : 1);
    in_transaction_ = true;
    for (const auto& changes : stretch.tables) {
        if (changes->closes.empty()) continue;
        auto& writer = writer_of(changes->table);
        if (writer.closes_by_arrays(*changes)) {
            writer.check_closes(*changes, (result++)->affected());
        } else {
            writer.write_staged_closes(
                batch, *changes, {slot_start_, slot_start_time_.value_or(pgoutput::PgTimestamp{})}
            );
        }
    }
    failpoint(Failpoint::between_close_and_open);
    for (const auto& changes : stretch.tables) {
        writer_of(changes->table).write_versions(batch, *changes);
    }
    for (const auto& truncate : stretch.truncates) {
        writer_of(truncate.table).truncate(batch, truncate);
    }
}

Stored PgHistorySink::write(ChangeBatch& batch) {
    begin(batch);
    for (auto& stretch : batch.stretches) {
        if (stretch.tables.empty() && stretch.truncates.empty()) continue;
        write_stretch(batch, stretch);
    }
    for (const auto& collapse : batch.collapses) {
        writer_of(collapse.table).collapse(batch.transactions[collapse.transaction]);
    }
    if (batch.continues) return stored_;
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
    // Without a row to update there must be no commit: the division fails the transaction.
    target_.send(
        fmt::format(
            "SELECT 1 / count(*) FROM pgchronicle.checkpoint WHERE pipeline = $1 AND position = "
            "'{}'",
            position
        ),
        {params, 1}
    );
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
        if (error.sqlstate() != division_by_zero) throw;
        throw CheckpointMismatch{fmt::format(
            "checkpoint of pipeline \"{}\" is not at {} any more", pipeline_, previous
        )};
    }
    in_transaction_ = false;
    stored_.committed = batch.position;
    unflushed_.push_back({batch.position, lsn_of(results.back(), 0)});
    note_flushed(lsn_of(results.back(), 1));
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
    target_.exec(
        "UPDATE pgchronicle.checkpoint SET updated_at = clock_timestamp() WHERE pipeline = $1",
        {pipeline_}
    );
    target_.exec("COMMIT");
    return poll_flushed();
}

}  // namespace pgchronicle::history_writer::pg
