#pragma once

#include "config/settings.hpp"
#include "history_writer/checkpoint.hpp"
#include "history_writer/pg/reconciliation.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "history_writer/table_failure.hpp"
#include "log/log.hpp"
#include "replicator/backoff.hpp"
#include "replicator/io/life.hpp"
#include "replicator/io/pipeline_tables.hpp"
#include "replicator/io/session.hpp"
#include "replicator/observer.hpp"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::replicator {
struct StartupFacts;
}

namespace pgchronicle::replicator::io {

struct RunOptions {
    std::optional<Lsn> until;     ///< --until-lsn
    bool until_current{false};    ///< --until-current
    bool replay_only{false};      ///< Ends when no replay is under way any more.
    bool copies_tables{true};     ///< Else a table that would have to be copied is an error.
    Observer* observer{nullptr};  ///< Null: nobody wants to know.
};

/// Exit codes. Source: DESIGN, "Commands".
enum class ExitCode : int {
    done = 0,
    failed_check = 1,
    usage = 2,
    needs_operator = 3,
    gave_up = 4
};

/// The `run` command: connects both sides, guards the start, copies what is missing, streams, and
/// does it again after every failure that may pass.
class Service {
public:
    Service(const config::Settings& settings, RunOptions options, Life& life, log::Logger& log);

    [[nodiscard]] ExitCode run();

private:
    enum class Turn { finished, again };

    /// Somebody uses what we need; they may be done with it soon.
    static constexpr const char* object_in_use = "55006";

    Turn turn();
    void take_lock(pq::Connection& target);
    /// A connection that holds the pipeline's lock, unless a stop is asked for.
    [[nodiscard]] pq::Connection locked_target();
    /// Where it fails, `target` is kept for the next turn.
    [[nodiscard]] pq::Connection open_source(pq::Connection& target);
    // service_start.cpp: whether checkpoint, slot and source fit, and what is done where not.
    history_writer::Checkpoint start_point(pq::Connection& source, pq::Connection& target);
    void gather(pq::Connection& source, pq::Connection& target, StartupFacts& facts);
    void check_tables(pq::Connection& source, pq::Connection& target);
    void check_two_phase(const StartupFacts& facts);
    void make_slot(const source_catalog::Server& server);
    /// Whether a slot that is lost is made anew.
    [[nodiscard]] bool may_reconcile() const;
    /// The slot is lost: makes it again, and has every table compared where changes were missed.
    void reconcile(pq::Connection& source, pq::Connection& target, StartupFacts& facts);
    void replace_slot(pq::Connection& source, const StartupFacts& facts);
    /// Makes the slot a copy of a bookmark's that reaches back, if there is one.
    bool restore_slot(
        pq::Connection& source,
        pq::Connection& target,
        const StartupFacts& facts,
        const history_writer::pg::LostSlot& lost
    );
    Turn
    stream(pq::Connection& target, PipelineTables& tables, std::optional<Lsn> until, bool seam);
    [[nodiscard]] Lsn stream_start(const history_writer::Checkpoint& checkpoint) const;
    [[nodiscard]] std::string
    start_command(const history_writer::Checkpoint& checkpoint, const PipelineTables& tables) const;
    [[nodiscard]] SessionOptions
    session_options(const PipelineTables& tables, std::optional<Lsn> until) const;
    /// The window before the slot, with what is remembered of it.
    [[nodiscard]] HoldBack hold_back(pq::Connection& target) const;
    // service_replay.cpp: a replay that is under way comes before everything else.
    /// Looks for one, and clears away what one has left that is over, or has never begun.
    void look_for_replay(
        pq::Connection& source,
        pq::Connection& target,
        const std::optional<history_writer::Checkpoint>& checkpoint
    );
    void end_replay(pq::Connection& source, pq::Connection& target);
    /// The slot to be read now, as the source has it.
    [[nodiscard]] std::optional<source_catalog::Slot> slot_to_read(pq::Connection& source) const;
    [[nodiscard]] const std::string& slot_name() const {
        return replay_ ? replay_->slot : settings_.source.slot;
    }
    Turn replay(pq::Connection& source, pq::Connection& target, PipelineTables& tables);
    // service_quarantine.cpp: a table to which something cannot be applied.
    SessionEnd run_session(Session& session);
    std::optional<ExitCode> after_failure(const history_writer::TableFailure& failure);
    /// Puts the table that has failed into quarantine, if one has.
    void leave_behind(pq::Connection& target);
    void copy_first(pq::Connection& target, PipelineTables& tables, bool commit_times);
    using ServerSettings = std::vector<std::pair<std::string, std::string>>;
    [[nodiscard]] pq::ConnectOptions
    connect_options(const config::Connection& connection, ServerSettings settings) const;
    [[nodiscard]] pq::ConnectOptions source_options() const;
    [[nodiscard]] pq::ConnectOptions target_options() const;
    [[nodiscard]] pq::ConnectOptions writer_options() const;
    [[nodiscard]] bool may_pass(const pq::Error& error);
    /// Asks the catalog what an error of the stream means.
    std::optional<ExitCode> after_refusal(const StreamError& error);
    std::optional<ExitCode> retry(const pq::Error& error);
    /// Waits a while, a longer one each time; an exit code when it has been long enough.
    std::optional<ExitCode> wait_after(const pq::Error& error);
    /// Something was achieved: failures that follow are counted afresh.
    void settle();
    void report(const std::string& primary, const std::string& detail, const std::string& hint);

    const config::Settings& settings_;
    RunOptions options_;
    Life& life_;
    log::Logger& log_;
    Backoff backoff_;
    std::optional<Clock::time_point> failing_since_;
    /// Holds the lock, and says so, while the source is tried again.
    std::optional<pq::Connection> waiting_target_;
    bool retrying_{false};  ///< The target's connection of this turn was kept so.
    /// Tables that a copy had before it when it was begun, until one ends well. Meanwhile only
    /// their number tells of progress: the stream stores its position before each attempt.
    std::optional<std::size_t> copy_left_;
    std::optional<history_writer::pg::Replay> replay_;  ///< Under way.
    int refusals_{0};  ///< Attempts in a row that a server refused for good reasons of its own.
    std::int64_t wal_sender_timeout_ms_{60'000};
    int source_version_{0};
    bool two_phase_{false};  ///< Of the slot, or asked for.
    Lsn slot_position_;      ///< Where the slot was when it was looked at.
    /// Where a commit ends cannot be read from the source's WAL: what was read was wrong once.
    bool ends_unreadable_{false};
    Lsn source_end_;  ///< What the source had written when this turn began.
    /// The slot was made again, and the stream does not go on behind the comparison yet.
    bool reconciling_{false};
    std::set<pgoutput::RelationId> needs_text_;  ///< See PipelineTables.
    /// A table has failed in a batch of several transactions: up to here they are written one by
    /// one, so that only the one that fails is lost to its quarantine.
    Lsn singly_until_;
    bool failed_singly_{true};  ///< No other transaction was written with what failed last.
    std::optional<history_writer::TableFailure> failed_;  ///< To be put into quarantine.
};

}  // namespace pgchronicle::replicator::io
