#pragma once

#include "initial_copy/copy_sql.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace pgchronicle::initial_copy {

/// A table to be copied.
struct PendingTable {
    source_catalog::Table source;
    std::shared_ptr<const HistoryTable> table;
};

struct CopyOptions {
    pq::ConnectOptions source;  ///< A plain connection's.
    pq::ConnectOptions target;
    std::string pipeline;
    std::string create_slot_command;  ///< Of a temporary slot that exports its snapshot.
    unsigned workers{2};
    std::uint64_t chunk_bytes{256U << 20U};
    /// How long the snapshot may wait for transactions that run on the source.
    std::chrono::seconds snapshot_timeout{60};
    bool commit_times{false};  ///< The source has track_commit_timestamp.
};

/// The copy of tables as of one LSN, the seam.
///
/// `prepare` takes the snapshot and says where it stands. Then the stream must be applied up to the
/// seam, and not further, before `run` copies. Each table's end is durable on its own; a copy that
/// is interrupted leaves rows that `discard_partial` removes before the next one.
/// Errors: pq::Error from either side.
class SnapshotCopy {
public:
    SnapshotCopy(CopyOptions options, log::Logger& log, std::stop_token stop);
    ~SnapshotCopy();
    SnapshotCopy(const SnapshotCopy&) = delete;
    SnapshotCopy& operator=(const SnapshotCopy&) = delete;

    /// The seam. `tables` are locked (ACCESS SHARE) until the copy has ended, because TRUNCATE and
    /// rewrites empty a table for older snapshots too. Throws pq::Error (57014) with the blockers
    /// named when the snapshot cannot be had, 55P03 when a lock cannot.
    pgoutput::Lsn prepare(const std::vector<PendingTable>& tables);
    /// Sees the source's catalog as of the seam: what is copied has the shape it had there.
    [[nodiscard]] pq::Connection& snapshot() { return sources_.front(); }
    void run(const std::vector<PendingTable>& tables);

private:
    struct Job;
    struct Chunk;

    void open_workers(const std::vector<PendingTable>& tables);
    void plan(const std::vector<PendingTable>& tables, pq::Connection& target);
    void work(pq::Connection& source);
    void copy(pq::Connection& source, pq::Connection& target, const Chunk& chunk);
    void finish(pq::Connection& target, Job& job);
    void merge(pq::Connection& target, const Job& job);
    void report(bool last);
    std::string blockers();

    CopyOptions options_;
    log::Logger& log_;
    std::stop_token stop_;
    std::vector<pq::Connection> sources_;  ///< One a worker, each holding the snapshot.
    SnapshotStamp stamp_;

    std::mutex mutex_;
    std::vector<std::unique_ptr<Job>> jobs_;
    std::deque<Chunk> chunks_;
    std::exception_ptr failure_;
    std::atomic<std::uint64_t> rows_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::uint64_t bytes_expected_{0};
    std::chrono::steady_clock::time_point started_;
    bool bar_{false};
};

/// Removes what an interrupted copy left in `table`. Call before anything is streamed into it.
void discard_partial(pq::Connection& target, const HistoryTable& table);

}  // namespace pgchronicle::initial_copy
