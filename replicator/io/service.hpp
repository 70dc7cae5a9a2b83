#pragma once

#include "config/settings.hpp"
#include "history_writer/checkpoint.hpp"
#include "log/log.hpp"
#include "replicator/backoff.hpp"
#include "replicator/io/life.hpp"
#include "replicator/io/pipeline_tables.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::replicator::io {

struct RunOptions {
    std::optional<Lsn> until;   ///< --until-lsn
    bool until_current{false};  ///< --until-current
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

    Turn turn();
    void take_lock(pq::Connection& target);
    history_writer::Checkpoint start_point(pq::Connection& source, pq::Connection& target);
    Turn
    stream(pq::Connection& target, PipelineTables& tables, std::optional<Lsn> until, bool seam);
    [[nodiscard]] SessionOptions session_options(
        const history_writer::Checkpoint& checkpoint,
        const PipelineTables& tables,
        std::optional<Lsn> until
    ) const;
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
    /// Something was achieved: failures that follow are counted afresh.
    void settle();
    void report(const std::string& primary, const std::string& detail, const std::string& hint);

    const config::Settings& settings_;
    RunOptions options_;
    Life& life_;
    log::Logger& log_;
    Backoff backoff_;
    std::optional<Clock::time_point> failing_since_;
    /// Tables that a copy had before it when it was begun, until one ends well. Meanwhile only
    /// their number tells of progress: the stream stores its position before each attempt.
    std::optional<std::size_t> copy_left_;
    int refusals_{0};  ///< Attempts in a row that a server refused for good reasons of its own.
    std::int64_t wal_sender_timeout_ms_{60'000};
    int source_version_{0};
    bool two_phase_{false};  ///< Of the slot, or asked for.
    Lsn slot_position_;      ///< Where the slot was when it was looked at.
    /// Where a commit ends cannot be read from the source's WAL: what was read was wrong once.
    bool ends_unreadable_{false};
    Lsn source_end_;  ///< What the source had written when this turn began.
    std::set<pgoutput::RelationId> needs_text_;  ///< See PipelineTables.
};

}  // namespace pgchronicle::replicator::io
