#pragma once

#include "history_writer/checkpoint.hpp"
#include "log/log.hpp"
#include "replicator/ack_tracker.hpp"
#include "replicator/batch_policy.hpp"
#include "replicator/io/replication_stream.hpp"
#include "replicator/io/transaction_inbox.hpp"
#include "replicator/io/writer_thread.hpp"
#include "replicator/read_pace.hpp"
#include "replicator/stream_pipeline.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace pgchronicle::replicator::io {

struct SessionOptions {
    std::string start_command;
    history_writer::WireForm form{history_writer::WireForm::binary};
    std::optional<Lsn> until;  ///< Ends when everything up to here is stored.
    Lsn source_end;            ///< What the source had written when the session was prepared.
    BatchLimits limits;
    std::chrono::milliseconds acknowledge_interval{2'000};
    std::chrono::milliseconds status_interval{10'000};
    std::chrono::milliseconds receive_timeout{300'000};
    std::string spool_dir;
    std::size_t transaction_memory_max{32U << 20U};
};

/// Where the rows of a relation go. `known` answers at once or says that it cannot; `resolve` may
/// ask the servers and create what is missing, and runs on the writer's thread.
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
    /// `at`: the transaction in which the relation's first row stands.
    virtual Answer
    resolve(const pgoutput::Relation& relation, const history_writer::SourceTransaction& at) = 0;
    /// Whether the source takes the keys for equal; runs on the writer's thread.
    virtual bool equal(const history_writer::KeyQuestion& question) = 0;
    /// A table was met that must be copied first: the session ends after the transaction in hand.
    [[nodiscard]] virtual bool copy_due() const = 0;
    /// Looks whether the publications still are what they were; runs on the writer's thread.
    virtual void recheck() = 0;
};

/// What the source says of the stream: it refuses to start it, ends it with an error, or is gone.
/// Told apart from errors of target and catalog, which may carry the same SQLSTATE.
class StreamError : public pq::Error {
public:
    explicit StreamError(const pq::Error& error) : pq::Error{error} {}
};

/// How a session ended without an error.
enum class SessionEnd { stopped, until_reached, copy_due };

/// One stretch of streaming over one connection to the source, from the checkpoint on. Joins the
/// stream, the pure pipeline and the writer's thread; everything but writes happens on the thread
/// that calls `run`.
///
/// Errors: StreamError, pq::Error of anything else, NeedsOperator, what the sink throws. Whatever
/// happens, nothing was acknowledged that is not in the checkpoint and on the target's disk.
class Session {
public:
    struct Parts {
        history_writer::Sink& sink;
        TableResolver& tables;
        log::Logger& log;
        std::function<void()> beat;  ///< Called at least every second while alive.
        std::function<void()>
            on_stuck;  ///< The target does not answer and we must end: cut it off.
        /// The checkpoint was written, or nothing has come that it does not hold.
        std::function<void()> on_progress;
        /// Where a transaction ends that has begun to come, if that can be known; runs on the
        /// writer's thread. Null: it cannot.
        std::function<std::optional<Lsn>(const pgoutput::Begin&)> commit_end;
        /// What it said was wrong: the session ends with a StreamError.
        std::function<void()> on_wrong_end;
    };

    Session(
        pq::Connection source,
        const history_writer::Checkpoint& checkpoint,
        SessionOptions options,
        Parts parts
    );

    [[nodiscard]] SessionEnd run(std::stop_token stop);

private:
    using TimePoint = Clock::time_point;

    void step();
    void read(TimePoint now);
    [[nodiscard]] std::span<const std::byte> next_frame();
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
    bool ask();
    void on_transaction_done(Lsn end_lsn);
    [[nodiscard]] Lsn acknowledgeable() const;
    [[nodiscard]] BatchPolicy::State batch_state() const;
    void hand_over(bool continues);
    void start_job(std::function<void()> job, std::function<void()> then);
    void write_if_due(TimePoint now);
    void poll_flushed_if_due(TimePoint now);
    void recheck_if_due(TimePoint now);
    void send_status_if_due(TimePoint now);
    void send_status(TimePoint now, bool ask);
    void note_stored(const history_writer::Stored& stored);
    void note_written(const ChangeBatch& batch);
    void log_progress();
    void check_alive(TimePoint now);
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
    boost::asio::io_context context_;
    boost::asio::steady_timer timer_;
    std::optional<std::string> skipped_;  ///< The source's words: it passes over a publication.
    ReplicationStream stream_;
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
    std::optional<NeedsAnswer> unanswered_;

    // What is built and stored.
    std::shared_ptr<ChangeBatch> written_;  ///< The batch in the writer's hands.
    /// What was written since the log last said so.
    struct Progress {
        std::uint64_t transactions{0};
        std::uint64_t rows{0};
        std::uint64_t values_inherited{0};
    };
    Progress progress_;
    TimePoint progress_logged_;
    history_writer::Stored stored_;
    Lsn idle_position_;  ///< Everything of ours up to here has come.
    Lsn built_end_;      ///< End of the last transaction in the batch.
    Lsn handed_over_;    ///< Position of the last batch given to the writer.
    bool job_running_{false};
    bool open_in_target_{false};  ///< The writer holds a transaction that continues.

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
    Lsn told_;

    // How it ends.
    bool stop_requested_{false};
    bool reached_until_{false};
    bool leaving_for_copy_{false};
    bool cut_off_{false};
    std::exception_ptr failure_;
    std::optional<SessionEnd> end_;

    WriterThread writer_;  ///< Last: its thread ends before what it uses.
};

}  // namespace pgchronicle::replicator::io
