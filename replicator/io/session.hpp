#pragma once

#include "history_writer/checkpoint.hpp"
#include "history_writer/sink.hpp"
#include "log/log.hpp"
#include "replicator/ack_tracker.hpp"
#include "replicator/batch_policy.hpp"
#include "replicator/hold_back.hpp"
#include "replicator/io/loop.hpp"
#include "replicator/io/stream.hpp"
#include "replicator/io/transaction_inbox.hpp"
#include "replicator/io/worker.hpp"
#include "replicator/observer.hpp"
#include "replicator/read_pace.hpp"
#include "replicator/stream_pipeline.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace pgchronicle::replicator::io {

using history_writer::ChangeBatch;

struct SessionOptions {
    history_writer::WireForm form{history_writer::WireForm::binary};
    Lsn start;                 ///< Where the stream begins: at the checkpoint, or below.
    std::optional<Lsn> until;  ///< Ends when everything up to here is stored.
    Lsn source_end;            ///< What the source had written when the session was prepared.
    /// Up to here each transaction is written by itself: one of them is known to fail, and those
    /// before it are not to fail with it.
    Lsn singly_until;
    BatchLimits limits;
    std::chrono::milliseconds acknowledge_interval{2'000};
    HoldBack hold_back;
    std::chrono::milliseconds status_interval{10'000};
    std::chrono::milliseconds receive_timeout{300'000};
    std::string spool_dir;
    std::size_t transaction_memory_max{32U << 20U};
};

/// Where the rows of a relation go. `known` answers at once or says that it cannot; `resolve` may
/// ask the servers and create what is missing. Both are asked once for each Relation message.
class TableResolver {
public:
    TableResolver() = default;
    TableResolver(const TableResolver&) = delete;
    TableResolver& operator=(const TableResolver&) = delete;
    virtual ~TableResolver() = default;

    struct Answer {
        std::shared_ptr<const HistoryTable> table;  ///< Null: excluded.
    };
    virtual std::optional<Answer> known(const pgoutput::Relation& relation) = 0;
    /// Waits until the source's catalog shows what this transaction has done. A server sends a
    /// commit as soon as it is on disk, and only then shows it to others. Runs on the writer's
    /// thread, before the catalog is asked about a relation that the transaction brings.
    virtual void see(pgoutput::Xid xid) = 0;
    /// Whether the columns are those that `known` went by. A message cannot tell: a column that was
    /// dropped, and added again under its name and type, is another one, and the message the same.
    /// Asks the source; runs on the writer's thread.
    virtual bool same_columns(const pgoutput::Relation& relation) = 0;
    /// `at`: the transaction in which the relation's first row stands. Runs on the writer's thread.
    virtual Answer
    resolve(const pgoutput::Relation& relation, const history_writer::SourceTransaction& at) = 0;
    /// Whether the source takes the keys for equal; runs on the writer's thread.
    virtual bool equal(const history_writer::KeyQuestion& question) = 0;
    /// A table was met that must be copied first: the session ends after the transaction in hand.
    [[nodiscard]] virtual bool copy_due() const = 0;
    /// Looks whether the publications still are what they were; runs on the writer's thread.
    virtual void recheck() = 0;
};

/// How a session ended without an error.
enum class SessionEnd { stopped, until_reached, copy_due };

/// One stretch of streaming over one connection to the source, from the checkpoint on. Joins the
/// stream, the pure pipeline and the writer; everything but writes happens on the thread that calls
/// `run`. Sockets, threads and the clock are behind `Io`, so that a simulation can stand there.
///
/// Errors: StreamError, pq::Error of anything else, NeedsOperator, TableFailure, what the sink
/// throws. Whatever happens, nothing was acknowledged that is not in the checkpoint and on the
/// target's disk.
class Session {
public:
    struct Io {
        Loop& loop;
        std::unique_ptr<Stream> stream;
        std::unique_ptr<Worker> writer;
    };
    struct Parts {
        history_writer::Sink& sink;
        TableResolver& tables;
        log::Logger& log;
        std::function<void()> beat;  ///< Called at least every second while alive.
        std::function<void()>
            on_stuck;  ///< The target does not answer and we must end: cut it off.
        /// The source does not answer what is asked on the writer's thread: cut that off.
        std::function<void()> on_unanswered;
        /// The checkpoint was written, or nothing has come that it does not hold.
        std::function<void()> on_progress;
        /// Where a transaction ends that has begun to come, if that can be known; runs on the
        /// writer's thread. Null: it cannot.
        std::function<std::optional<Lsn>(const pgoutput::Begin&)> commit_end;
        /// What it said was wrong: the session ends with a StreamError.
        std::function<void()> on_wrong_end;
        /// A batch is stored. Null: nobody wants to know.
        std::function<void(const BatchWritten&)> on_batch{};
    };

    Session(
        Io io,
        const history_writer::Checkpoint& checkpoint,
        SessionOptions options,
        Parts parts
    );

    [[nodiscard]] SessionEnd run(std::stop_token stop);

    // After an error, what it is of use to know.
    /// Each transaction was written by itself.
    [[nodiscard]] bool singly() const { return stored_.committed < options_.singly_until; }
    /// All that failed ends here or before.
    [[nodiscard]] Lsn taken_in() const;
    /// What is known to be stored.
    [[nodiscard]] Lsn stored() const { return stored_.committed; }

private:
    using TimePoint = Clock::time_point;

    /// How often the target is asked how far its disk has come, while something waits for it.
    static constexpr std::chrono::milliseconds flush_poll_interval{50};
    /// An acknowledgement that moves is sent at once, but not more often than this.
    static constexpr std::chrono::milliseconds acknowledge_spacing{100};
    /// How often a server that is silent is asked to say where it is, while we wait for a position.
    static constexpr std::chrono::milliseconds ask_interval{250};

    void step();
    void read(TimePoint now);
    void on_frame(std::span<const std::byte> bytes);
    void on_message(std::span<const std::byte> payload);
    void on_keepalive(const pgoutput::Keepalive& keepalive);
    bool replay();
    [[nodiscard]] bool is_behind_end(const pgoutput::Begin& begin);
    void begin_replay(const WholeTransaction& transaction);
    void look_for_end_if_due();
    void hand_out(const pgoutput::Begin& begin, Lsn end_lsn);
    bool ready_for_coming();
    void on_coming(std::span<const std::byte> payload);
    void on_coming(const pgoutput::Commit& commit);
    bool settle(const StreamPipeline::Outcome& outcome);
    bool resume();
    bool place();
    void look_at_columns(const std::shared_ptr<const pgoutput::Relation>& relation);
    void placed();
    bool ask();
    void on_transaction_done(Lsn end_lsn);
    [[nodiscard]] Lsn acknowledgeable() const;
    [[nodiscard]] BatchPolicy::State batch_state() const;
    void hand_over(bool continues);
    void start_job(std::function<void()> job, std::function<void()> then);
    void ask_source(std::function<void()> job, std::function<void()> then);
    void write_if_due(TimePoint now);
    void poll_flushed_if_due(TimePoint now);
    void recheck_if_due(TimePoint now);
    void send_status_if_due(TimePoint now);
    void send_status(TimePoint now, bool ask);
    void note_stored(const history_writer::Stored& stored);
    void note_written(const ChangeBatch& batch, std::uint64_t bytes, TimePoint begun);
    void log_progress();
    void check_alive(TimePoint now);
    void check_answered(TimePoint now);
    /// We are to stop, and the transaction in hand is too large to be finished before.
    [[nodiscard]] bool left_out() const;
    void finish_if_done(TimePoint now);
    void wait(TimePoint now);
    [[nodiscard]] bool ending() const {
        return stop_requested_ || reached_until_ || leaving_for_copy_;
    }
    [[nodiscard]] bool may_read() const;
    /// A row cannot go into the batch before a job on the writer's thread has answered.
    [[nodiscard]] bool row_waits() const { return unplaced_ || unanswered_; }
    /// No job is running, and the last one's end has been dealt with here.
    [[nodiscard]] bool writer_idle() const { return !job_running_; }
    void fail(std::exception_ptr failure);

    SessionOptions options_;
    Parts parts_;
    Loop& loop_;
    std::unique_ptr<Stream> stream_;
    ReadPace pace_;
    std::uint64_t step_bytes_{0};  ///< Read since the stream was last drained, at last_drained_.
    TimePoint last_drained_;
    StreamPipeline pipeline_;
    BatchPolicy policy_;
    AckTracker acks_;
    TransactionInbox inbox_;

    // The transaction in hand.
    std::uint64_t transaction_rows_{0};
    std::optional<WholeTransaction> replaying_;
    bool replay_begun_{false};  ///< Some of it is in the batch.
    /// It fills batches by itself, and so gets batches of its own: what is before it is stored
    /// first, and at a stop it can be left to the next start.
    bool alone_{false};
    /// It goes into batches while it comes, and `direct_` once what had come before is there.
    bool coming_{false};
    bool direct_{false};
    Lsn looked_for_;  ///< The transaction whose end was looked for last.
    std::optional<NeedsTable> unplaced_;
    std::optional<bool> same_columns_;  ///< Of what is unplaced, when the source has been asked.
    std::optional<NeedsAnswer> unanswered_;

    // What is built and stored.
    std::shared_ptr<ChangeBatch> written_;  ///< The batch in the writer's hands.
    /// It holds a row that alone is larger than a batch should be. That one is stored before the
    /// next comes, or memory would hold both of them, each more than once.
    bool oversize_{false};
    /// What was written since the log last said so.
    struct Progress {
        std::uint64_t transactions{0};
        std::uint64_t rows{0};
        std::uint64_t values_inherited{0};
    };
    Progress progress_;
    TimePoint progress_logged_;
    history_writer::Stored stored_;
    Lsn resumed_at_;         ///< The checkpoint's position at the start,
    bool below_checkpoint_;  ///< and whether the stream is still below it.
    Lsn idle_position_;      ///< Everything of ours up to here has come.
    Lsn built_end_;          ///< End of the last transaction in the batch.
    Lsn handed_over_;        ///< Position of the last batch given to the writer.
    bool job_running_{false};
    std::optional<TimePoint> asking_since_;  ///< The job in hand asks the source.
    bool unanswered_for_long_{false};        ///< It was cut off.
    bool open_in_target_{false};             ///< The writer holds a transaction that continues.

    // Times.
    TimePoint last_status_;
    TimePoint last_received_;
    TimePoint last_asked_;
    TimePoint last_checkpoint_;
    TimePoint last_poll_;
    TimePoint last_recheck_;
    std::optional<TimePoint> stop_at_;
    bool drained_{false};
    bool more_{false};
    bool reply_due_{false};
    bool progress_wanted_{false};  ///< An idle position is stored without waiting for its time.
    Lsn told_;

    // How it ends.
    bool stop_requested_{false};
    bool reached_until_{false};
    bool leaving_for_copy_{false};
    bool cut_off_{false};
    std::exception_ptr failure_;
    std::optional<SessionEnd> end_;

    std::unique_ptr<Worker> writer_;  ///< Last: its job ends before what it uses.
};

}  // namespace pgchronicle::replicator::io
