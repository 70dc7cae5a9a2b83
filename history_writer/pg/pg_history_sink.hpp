#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/history_table.hpp"
#include "history_writer/pg/on_change.hpp"
#include "history_writer/pg/table_writer.hpp"
#include "history_writer/sink.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// Sink over one connection to the target: rows and checkpoint in one transaction.
///
/// Commits are asynchronous (the connection has synchronous_commit = off) and `flushed` follows
/// the target's own flush position, so that the disk is waited for by nobody but the
/// acknowledgement. Throws pq::Error, a Mismatch, or TableFailure where only one table stands in
/// the way; the transaction is rolled back then, and the sink must not be used again. Thread: one.
class PgHistorySink : public Sink {
public:
    /// `checkpoint` is the stored one, read on this connection after the pipeline's lock was taken.
    PgHistorySink(pq::Connection& target, std::string pipeline, const Checkpoint& checkpoint);

    /// Remembers from now on when the checkpoint stood where, for a window of this length.
    void mark_positions(std::chrono::milliseconds window, std::chrono::milliseconds spacing);

    Stored write(ChangeBatch& batch) override;
    Stored poll_flushed() override;
    Stored flush() override;

private:
    /// A commit that may not be on disk yet: the target's WAL must be flushed up to `wal_end`.
    struct Unflushed {
        pgoutput::Lsn position;
        pgoutput::Lsn wal_end;
    };

    TableWriter& writer_of(const std::shared_ptr<const HistoryTable>& table);
    void will_write(const std::shared_ptr<const HistoryTable>& table);
    void ensure_index(const TableChanges& changes);
    void retire(const std::shared_ptr<const HistoryTable>& table);
    void retire_superseded();
    void begin(const ChangeBatch& batch);
    void write_stretch(const ChangeBatch& batch, Stretch& stretch);
    void close_versions(const ChangeBatch& batch, const Stretch& stretch);
    std::vector<pq::Result> sync_closes(const std::vector<const TableChanges*>& sent, bool begins);
    void commit(const ChangeBatch& batch);
    /// What a COMMIT says of a constraint that somebody deferred is about its table.
    [[noreturn]] void throw_deferred(const pq::Error& error);
    [[nodiscard]] std::string written_tables() const;
    [[noreturn]] void explain_refused_commit();
    [[nodiscard]] bool mark_due();
    void note_flushed(pgoutput::Lsn flushed);

    pq::Connection& target_;
    std::string pipeline_;
    OnChange on_change_;
    pgoutput::Lsn slot_start_;
    std::optional<pgoutput::PgTimestamp> slot_start_time_;
    pgoutput::Lsn last_commit_end_;
    Stored stored_;
    std::chrono::milliseconds mark_window_{0};  ///< 0: nobody wants marks.
    std::chrono::milliseconds mark_spacing_{0};
    std::chrono::steady_clock::time_point marked_;
    bool in_transaction_{false};
    std::deque<Unflushed> unflushed_;
    std::map<std::shared_ptr<const HistoryTable>, std::unique_ptr<TableWriter>> writers_;
    std::size_t writers_made_{0};
    std::map<TargetName, std::shared_ptr<const HistoryTable>> latest_;
    /// Shapes that their tables do not have any more.
    std::vector<std::shared_ptr<const HistoryTable>> superseded_;
    std::set<std::shared_ptr<const HistoryTable>> indexed_;  ///< Those below their seam.
    /// Tables of the target's open transaction.
    std::set<std::shared_ptr<const HistoryTable>> written_;
};

}  // namespace pgchronicle::history_writer::pg
