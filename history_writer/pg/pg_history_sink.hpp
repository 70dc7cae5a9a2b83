#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/pg/table_writer.hpp"
#include "history_writer/sink.hpp"
#include "pq/connection.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace pgchronicle::history_writer::pg {

/// The checkpoint row is not what this process wrote last. Halts.
class CheckpointMismatch : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Sink over one connection to the target: rows and checkpoint in one transaction.
///
/// Commits are asynchronous (the connection has synchronous_commit = off) and `flushed` follows
/// the target's own flush position, so that the disk is waited for by nobody but the
/// acknowledgement. Throws pq::Error, HistoryMismatch or CheckpointMismatch; the transaction is
/// rolled back then, and the sink must not be used again. Thread: one.
class PgHistorySink : public Sink {
public:
    /// `checkpoint` is the stored one, read on this connection after the pipeline's lock was taken.
    PgHistorySink(pq::Connection& target, std::string pipeline, const Checkpoint& checkpoint);

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
    void ensure_index(const TableChanges& changes);
    void begin(const ChangeBatch& batch);
    void write_stretch(const ChangeBatch& batch, Stretch& stretch);
    void commit(const ChangeBatch& batch);
    void note_flushed(pgoutput::Lsn flushed);

    pq::Connection& target_;
    std::string pipeline_;
    pgoutput::Lsn slot_start_;
    std::optional<pgoutput::PgTimestamp> slot_start_time_;
    pgoutput::Lsn last_commit_end_;
    Stored stored_;
    bool in_transaction_{false};
    std::deque<Unflushed> unflushed_;
    std::map<std::shared_ptr<const HistoryTable>, std::unique_ptr<TableWriter>> writers_;
    std::size_t writers_made_{0};
    std::set<std::shared_ptr<const HistoryTable>> indexed_;  ///< Those below their seam.
};

}  // namespace pgchronicle::history_writer::pg
