#pragma once

#include "initial_copy/source_snapshot.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace pgchronicle::initial_copy {

struct CopyOptions {
    SnapshotOptions snapshot;
    pq::ConnectOptions target;
    std::string pipeline;
    /// Server process of the connection that holds the pipeline's lock.
    std::int64_t writer_pid{0};
    std::uint64_t chunk_bytes{256U << 20U};
};

/// The copy of tables as of one LSN, the seam.
///
/// `prepare` takes the snapshot and says where it stands. Then the stream must be applied up to the
/// seam, and not further, before `run` copies. Each table's end is durable on its own; a copy that
/// is interrupted leaves rows that `discard_partial` removes before the next one.
///
/// The pipeline's lock is held by another connection, which may end without our noticing. So every
/// transaction that writes locks the history table first and then looks who holds the pipeline: a
/// successor's `discard_partial` waits for those that saw us hold it, and later ones do not.
/// Errors: pq::Error from either side, 08003 when the pipeline's lock is lost: reconnect;
/// TableFailure for what the target says of one table.
class SnapshotCopy {
public:
    SnapshotCopy(CopyOptions options, log::Logger& log, std::stop_token stop);
    ~SnapshotCopy();
    SnapshotCopy(const SnapshotCopy&) = delete;
    SnapshotCopy& operator=(const SnapshotCopy&) = delete;

    /// The seam. Errors: see take_snapshot, and discard_partial for 55P03.
    pgoutput::Lsn prepare(const std::vector<PendingTable>& tables);
    /// Sees the source's catalog as of the seam: what is copied has the shape it had there.
    [[nodiscard]] pq::Connection& snapshot() { return source_.connections.front(); }
    void run(const std::vector<PendingTable>& tables);

private:
    struct Job;
    struct Chunk;

    void begin(pq::Connection& target, const HistoryTable& table);
    static void commit(pq::Connection& target, const HistoryTable& table);
    void plan(const std::vector<PendingTable>& tables, pq::Connection& target);
    void make_room(pq::Connection& target, Job& job);
    void work(pq::Connection& source);
    void copy(pq::Connection& source, pq::Connection& target, const Chunk& chunk);
    void finish(pq::Connection& target, Job& job);
    void merge(pq::Connection& target, const Job& job);
    void give_up_pending(pq::Connection& target, const HistoryTable& table);
    void compare(pq::Connection& target, const Job& job);
    void report(bool last);

    CopyOptions options_;
    log::Logger& log_;
    std::stop_token stop_;
    SourceSnapshot source_;  ///< One connection a worker.

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

/// Removes what an interrupted copy left in `table`. Call before anything is streamed into it, on
/// the connection that holds the pipeline's lock. Waits a bounded time for transactions of a copy
/// that has lost that lock. Errors: TableFailure; pq::Error; 55P03 with their process named when it
/// takes longer; 40001 when that copy has finished the table after all: look again.
void discard_partial(pq::Connection& target, const HistoryTable& table);

}  // namespace pgchronicle::initial_copy
