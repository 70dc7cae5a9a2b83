#pragma once

#include "history_writer/pg/table_state.hpp"
#include "initial_copy/copy_sql.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace pgchronicle::initial_copy {

/// A table to be copied, or compared with the history that is there.
struct PendingTable {
    source_catalog::Table source;
    std::shared_ptr<const HistoryTable> table;
    history_writer::pg::CompareAs compare_as{};
    bool begun{false};  ///< Its first copy is not done; one may have been interrupted.
};

struct SnapshotOptions {
    pq::ConnectOptions source;        ///< A plain connection's.
    std::string create_slot_command;  ///< Of a temporary slot that exports its snapshot.
    unsigned connections_max{2};
    /// How long it may wait for transactions and locks of others.
    std::chrono::seconds timeout{60};
    bool commit_times{false};  ///< The source has track_commit_timestamp.
};

/// Runs a statement that waits for other transactions, such as CREATE_REPLICATION_SLOT, for at most
/// `options.timeout`. Errors: pq::Error; 57014 with the blockers named when it takes longer.
[[nodiscard]] pq::Result exec_in_time(
    pq::Connection& connection,
    const std::string& sql,
    const SnapshotOptions& options,
    const std::stop_token& stop
);

/// Connections to the source that see it as of one LSN, the seam, and hold what they will read.
struct SourceSnapshot {
    /// At least one; fewer than asked for where others queue for a lock that we hold.
    std::vector<pq::Connection> connections;
    SnapshotStamp stamp;
};

/// Takes the snapshot. `tables` stay locked (ACCESS SHARE) by every connection for as long as it
/// lives, because TRUNCATE and rewrites empty a table for older snapshots too.
///
/// Errors: as exec_in_time; 40001 when a table
/// was truncated, rewritten, renamed or dropped between the snapshot and its lock: try again.
[[nodiscard]] SourceSnapshot take_snapshot(
    const SnapshotOptions& options,
    const std::vector<PendingTable>& tables,
    const std::stop_token& stop
);

}  // namespace pgchronicle::initial_copy
