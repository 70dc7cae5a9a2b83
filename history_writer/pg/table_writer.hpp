#pragma once

#include "history_writer/change_batch.hpp"
#include "history_writer/pg/key_order.hpp"
#include "history_writer/pg/stage_writer.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pgchronicle::history_writer::pg {

/// Where rows that are first met below the seam begin.
struct SeamStart {
    pgoutput::Lsn lsn;
    pgoutput::PgTimestamp time;
};

/// Writes one history table: statements prepared once for its shape, buffers kept. Throws
/// pq::Error, and TableFailure where the target does not hold what the changes say it must:
/// somebody edited the history, rows are missing, or a filter hides them.
class TableWriter {
public:
    /// Prepares on `target`; `number` makes names unique within the session.
    TableWriter(
        pq::Connection& target,
        std::string pipeline,
        std::shared_ptr<const HistoryTable> table,
        std::size_t number
    );

    /// Whether `send_closes` can take the closes of these changes.
    [[nodiscard]] bool closes_by_arrays(const TableChanges& changes) const;
    /// Drops versions that say nothing new, together with their closes, and overwrites what is not
    /// tracked. Before anything is closed.
    void drop_unchanged(const ChangeBatch& batch, TableChanges& changes);
    /// Puts the close statement into the connection's open pipeline.
    void send_closes(const ChangeBatch& batch, const TableChanges& changes);
    /// Compares what the close found with what it had to find.
    void check_closes(const TableChanges& changes, std::uint64_t closed);
    /// Closes that need staging: tables without a key, rows first met below the seam.
    void write_staged_closes(
        const ChangeBatch& batch,
        const TableChanges& changes,
        const SeamStart& start
    );
    /// The new versions: those the target must complete first, then the COPY of all others.
    void write_versions(const ChangeBatch& batch, const TableChanges& changes);
    void truncate(const ChangeBatch& batch, const TruncateTable& truncate);
    /// Leaves the net effect of a transaction that was written in parts.
    void collapse(const SourceTransaction& transaction);
    /// Leaves nothing of itself in the session; nothing can be written then.
    void retire();

private:
    void read_key_types();
    /// Lets go of what a huge row took.
    void give_back();
    void build_arrays(const ChangeBatch& batch, const TableChanges& changes);
    void stage_version(
        const ChangeBatch& batch,
        const TableChanges& changes,
        std::uint32_t version,
        std::uint32_t close,
        std::int32_t nth
    );
    void write_fills(const ChangeBatch& batch, const TableChanges& changes);
    void copy_versions(const ChangeBatch& batch, const TableChanges& changes);
    /// Makes room in the index if that is what `error`, of an insert, is about; else nothing.
    void make_room(const pq::Error& error);
    [[noreturn]] void report_closes(std::uint64_t expected, std::uint64_t found);

    pq::Connection& target_;
    std::string pipeline_;
    std::shared_ptr<const HistoryTable> table_;
    std::string close_name_;
    StageWriter stage_;
    std::uint64_t unseen_{0};              ///< Closes that the staging met below the seam.
    std::vector<std::string> key_types_;   ///< SQL types of the key columns.
    std::vector<std::uint32_t> key_oids_;  ///< The same as OIDs in the target.
    std::vector<Bytes> arrays_;            ///< Parameters of the close.
    std::vector<pq::Param> params_;
    KeyOrder order_;
    Bytes buffer_;
};

}  // namespace pgchronicle::history_writer::pg
