#pragma once

#include "history_writer/history_table.hpp"
#include "pgoutput/lsn.hpp"
#include "source_catalog/model.hpp"

#include <cstdint>
#include <optional>
#include <string>

// The SQL of the initial copy; text only.

namespace pgchronicle::initial_copy {

using history_writer::HistoryTable;

/// Heap blocks [from, to) of a table; `to` is 0 for "to the end".
struct BlockRange {
    std::uint64_t from{0};
    std::uint64_t to{0};
};

/// What every copied row of a snapshot gets.
struct SnapshotStamp {
    pgoutput::Lsn seam;
    /// Recorded as the rows' beginning, timestamptz text: taken before the snapshot, so that no
    /// transaction behind the seam has an earlier commit time (short of a clock that steps back,
    /// which the clamp takes care of).
    std::string time;
    std::string seam_time;     ///< After it: everything up to the seam had committed.
    bool commit_times{false};  ///< The source knows when each row was committed.
};

/// COPY (SELECT ...) TO STDOUT on the source, binary: the history table's columns in its order, up
/// to those that are the same for all rows, which `stamp_sql` gives as one row.
[[nodiscard]] std::string copy_out_sql(
    const source_catalog::Table& source,
    const HistoryTable& table,
    const SnapshotStamp& stamp,
    const std::optional<BlockRange>& range
);

[[nodiscard]] std::string stamp_sql(const SnapshotStamp& stamp);

/// COPY into `into`, which has the history table's columns.
[[nodiscard]] std::string copy_in_sql(const HistoryTable& table, const std::string& into);

/// Name of the table that takes the copy of a table which has history already. Another pipeline's
/// differs, for the tables of a cloned source have the same OIDs.
[[nodiscard]] std::string staging_name(const HistoryTable& table, const std::string& pipeline);
[[nodiscard]] std::string create_staging_sql(const HistoryTable& table, const std::string& staging);

/// Rows of the staging table that the stream has not met become history.
[[nodiscard]] std::string merge_sql(const HistoryTable& table, const std::string& staging);
/// Makes pg_temp.resolvable (row_key, name, ended_lsn, ended_seq): values that the copy knows, for
/// the version that is open at the seam waits for them too, and the key's last tombstone before it.
[[nodiscard]] std::string
find_resolvable_sql(const HistoryTable& table, const std::string& pipeline);
/// Gives column `column` of versions that wait for it what the copy says, if they are of the row
/// that is open. Parameter: the pipeline.
[[nodiscard]] std::string
fill_pending_sql(const HistoryTable& table, const std::string& staging, std::size_t column);
/// Takes columns off the lists of those that just got them. Parameter: the pipeline.
[[nodiscard]] std::string settle_pending_sql(const HistoryTable& table);
/// Removes what an interrupted copy left.
[[nodiscard]] std::string remove_partial_copy_sql(const HistoryTable& table);
/// Whether a table holds anything but what an interrupted copy left.
[[nodiscard]] std::string other_rows_sql(const HistoryTable& table);

}  // namespace pgchronicle::initial_copy
