#include "replicator/io/service.hpp"

#include "failpoint/failpoint.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/for_table.hpp"
#include "history_writer/pg/mismatch.hpp"
#include "history_writer/pg/pg_history_sink.hpp"
#include "history_writer/pg/position_marks.hpp"
#include "log/printable.hpp"
#include "replicator/io/asio_loop.hpp"
#include "replicator/io/commit_end.hpp"
#include "replicator/io/replication_stream.hpp"
#include "replicator/io/writer_thread.hpp"
#include "replicator/slot_commands.hpp"
#include "replicator/stream_error.hpp"
#include "replicator/stream_refusal.hpp"
#include "source_catalog/catalog.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <random>
#include <unistd.h>
#include <utility>

namespace pgchronicle::replicator::io {

using namespace std::chrono_literals;
namespace pg = history_writer::pg;
using history_writer::Checkpoint;

namespace {

/// The server drops a stream that stays silent for wal_sender_timeout. A third of it leaves room
/// for one lost reply.
constexpr std::int64_t status_interval_fraction = 3;
constexpr std::chrono::milliseconds status_interval_max{10'000};
constexpr std::chrono::milliseconds status_interval_min{50};

/// What the process holds before the first change: libraries, connections, the catalog.
constexpr std::uint64_t memory_at_rest = 16U << 20U;
/// The rest of the memory limit is for a batch being built, one being written, what of it waits for
/// a server that does not read, and one transaction being received. Vectors that grow may hold
/// twice what they need.
constexpr std::uint64_t memory_parts = 8;

constexpr int refusals_max = 3;

/// How long a catalog query waits for a lock while the copy holds locks itself. As long stand those
/// who wait behind the same lock; a query that waits for nobody takes milliseconds.
constexpr std::chrono::milliseconds catalog_lock_timeout{2'000};

/// A position that somebody read with pg_current_wal_insert_lsn() may lie behind a page header
/// that nothing is written after yet; the end of the last record is before that header.
Lsn before_page_header(Lsn lsn) {
    constexpr std::uint64_t block = 8192;
    constexpr std::uint64_t header = 24;
    constexpr std::uint64_t long_header = 40;
    const auto offset = lsn.value % block;
    return offset == header || offset == long_header ? Lsn{lsn.value - offset} : lsn;
}

[[noreturn]] void refuse_to_copy(const source_catalog::Table& table) {
    throw NeedsOperator{
        "table \"" + qualified(table) + "\" has no history to be copied from",
        "It was published since, or has another shape than the history's.",
        "Start \"pgchronicle run\" first, so that it is followed."};
}

double jitter() {
    static std::mt19937_64 random{std::random_device{}()};
    return std::uniform_real_distribution<double>{0.0, 1.0}(random);
}

}  // namespace

Service::Service(const config::Settings& settings, RunOptions options, Life& life, log::Logger& log)
    : settings_{settings},
      options_{options},
      life_{life},
      log_{log},
      backoff_{{settings.retry.delay_min, settings.retry.delay_max}} {}

void Service::report(
    const std::string& primary,
    const std::string& detail,
    const std::string& hint
) {
    // Said once: as an event among events where programs read the log, else as PostgreSQL says it.
    if (settings_.log.format == config::LogFormat::json) {
        log_.error("error", {{"message", primary}, {"detail", detail}, {"hint", hint}});
        return;
    }
    // Names are the source's to choose: none of them begins a line of its own.
    std::string text = "pgchronicle: error: " + log::one_line(primary) + "\n";
    if (!detail.empty()) text += "DETAIL:  " + log::one_line(detail) + "\n";
    if (!hint.empty()) text += "HINT:  " + log::one_line(hint) + "\n";
    std::fputs(text.c_str(), stderr);
}

ExitCode Service::run() {
    log_.info("starting", {{"pipeline", settings_.pipeline}, {"config", settings_.file}});
    for (;;) {
        try {
            if (turn() == Turn::again) continue;
            log_.info("stopped");
            return ExitCode::done;
        } catch (const NeedsOperator& error) {
            report(error.what(), error.detail(), error.hint());
            return ExitCode::needs_operator;
        } catch (const history_writer::TableFailure& failure) {
            if (const auto code = after_failure(failure)) return *code;
        } catch (const pg::Mismatch& error) {
            report(error.what(), error.detail(), error.hint());
            return ExitCode::needs_operator;
        } catch (const StreamError& error) {
            if (life_.stop_token().stop_requested()) return ExitCode::done;
            if (const auto code = after_refusal(error)) return *code;
        } catch (const pq::Error& error) {
            if (life_.stop_token().stop_requested()) return ExitCode::done;
            if (const auto code = retry(error)) return *code;
        }
    }
}

bool Service::may_pass(const pq::Error& error) {
    // Another process still reads the slot: often our own predecessor's server side.
    if (error.sqlstate() == object_in_use) return true;
    const bool passes = error.sqlstate().empty() ? error.connection_lost()
                                                 : error.disposition() != pq::Disposition::halt;
    refusals_ = passes ? 0 : refusals_ + 1;
    // A password may just be changing on one side: a refusal to connect is believed the third time.
    return passes || (error.connection_lost() && refusals_ < refusals_max);
}

std::optional<ExitCode> Service::after_refusal(const StreamError& error) {
    const bool passes = error.sqlstate().empty() || error.disposition() != pq::Disposition::halt;
    if (passes) return retry(error);
    RefusalFacts facts;
    facts.sqlstate = error.sqlstate();
    facts.primary = error.primary();
    facts.slot_name = settings_.source.slot;
    facts.publication_names = settings_.source.publications;
    try {
        auto source = pq::Connection::open(source_options());
        facts.slot = source_catalog::read_slot(source, facts.slot_name);
        facts.publications = source_catalog::read_publications(source, facts.publication_names);
    } catch (const pq::Error& unknown) {
        return retry(unknown);
    }
    // The next turn makes it again.
    if (may_reconcile() && (!facts.slot || facts.slot->lost())) return wait_after(error);
    const auto refusal = explain_refusal(facts);
    if (!refusal) return retry(error);
    report(refusal->what(), refusal->detail(), refusal->hint());
    return ExitCode::needs_operator;
}

std::optional<ExitCode> Service::retry(const pq::Error& error) {
    if (!may_pass(error)) {
        report(error.primary(), error.detail(), pg::hint_of(error));
        return ExitCode::needs_operator;
    }
    return wait_after(error);
}

std::optional<ExitCode> Service::wait_after(const pq::Error& error) {
    const auto now = Clock::now();
    if (!failing_since_) failing_since_ = now;
    const auto elapsed_max = settings_.retry.elapsed_max;
    if (elapsed_max.count() != 0 && now - *failing_since_ >= elapsed_max) {
        report(error.primary(), error.detail(), "Retries are exhausted (retry.max_elapsed).");
        return ExitCode::gave_up;
    }
    const auto delay = backoff_.next(jitter());
    log_.warn(
        "reconnecting",
        {{"message", error.primary()},
         {"detail", error.detail()},
         {"sqlstate", error.sqlstate()},
         {"delay_ms", delay.count()}}
    );
    life_.notify_status("reconnecting: " + error.primary());
    if (options_.observer != nullptr) options_.observer->reconnecting();
    failpoint(Failpoint::during_reconnect);
    if (life_.sleep(delay)) return ExitCode::done;
    return std::nullopt;
}

void Service::settle() {
    failing_since_.reset();
    backoff_.reset();
}

Service::Turn Service::turn() {
    life_.beat(1h);
    failed_singly_ = true;
    auto target = locked_target();
    if (life_.stop_token().stop_requested()) return Turn::finished;

    auto source = open_source(target);
    const auto checkpoint = start_point(source, target);
    if (options_.replay_only && !replay_) return Turn::finished;
    leave_behind(target);
    PipelineTables tables{settings_, source, target, log_, needs_text_};
    tables.replay(replay_.has_value());
    tables.open(checkpoint.position);
    const bool copy_due = !tables.pending().empty();
    if (copy_due && !options_.copies_tables) refuse_to_copy(tables.pending().front().source);
    // Tables that joined since are copied behind it: their changes are not in what comes again.
    if (replay_) return replay(source, target, tables);
    if (copy_due) {
        const auto server = source_catalog::read_server(source);
        // The copy holds locks until the stream is at the seam. A catalog query that waits behind
        // an ALTER TABLE, which waits for those locks, would wait for ever.
        source.exec("SET lock_timeout = " + std::to_string(catalog_lock_timeout.count()));
        copy_first(target, tables, server.track_commit_timestamp);
        return life_.stop_token().stop_requested() ? Turn::finished : Turn::again;
    }
    copy_left_.reset();
    if (options_.until_current && !options_.until) {
        options_.until = source_catalog::read_server(source).flush_lsn;
    }
    auto until = options_.until;
    if (until) until = before_page_header(*until);
    return stream(target, tables, until, false);
}

void Service::copy_first(pq::Connection& target, PipelineTables& tables, bool commit_times) {
    const auto pending = tables.pending();
    if (copy_left_ && pending.size() < *copy_left_) settle();
    for (const auto& table : pending) {
        if (table.begun) initial_copy::discard_partial(target, *table.table);
    }
    initial_copy::CopyOptions options;
    options.snapshot.source = source_options();
    options.snapshot.connections_max = settings_.copy.workers;
    options.snapshot.commit_times = commit_times;
    options.target = target_options();
    options.pipeline = settings_.pipeline;
    options.writer_pid = target.exec("SELECT pg_catalog.pg_backend_pid()").int64(0, 0);
    // Processes of several hosts may copy from one source.
    options.snapshot.create_slot_command = create_snapshot_slot(
        "pgchronicle_copy_" + std::to_string(::getpid()) + "_" + std::to_string(options.writer_pid),
        source_version_
    );
    options.chunk_bytes = settings_.copy.chunk_bytes;
    initial_copy::SnapshotCopy copy{options, log_, life_.stop_token()};
    const auto seam = copy.prepare(pending);
    // What waits in the slot below the seam is history, and comes first.
    stream(target, tables, seam, true);
    if (life_.stop_token().stop_requested() || tables.copy_due()) return;
    // The copy reports its own progress; what hangs in it, the network's time-outs end.
    life_.beat(std::chrono::hours{24 * 365});
    life_.notify_status("copying");
    const auto checkpoint = pg::read_checkpoint(target, settings_.pipeline);
    const auto time = checkpoint ? checkpoint->last_commit_time : std::nullopt;
    copy_left_ = pending.size();
    copy.run(tables.pending_as_of(
        copy.snapshot(), pending, {seam, time.value_or(pgoutput::PgTimestamp{})}
    ));
    copy_left_.reset();
    settle();
}

Lsn Service::stream_start(const Checkpoint& checkpoint) const {
    // Prepared transactions that have not ended come again from where the slot is, which is not
    // behind the checkpoint; what is stored already is skipped.
    return two_phase_ ? std::min(checkpoint.position, slot_position_) : checkpoint.position;
}

std::string Service::start_command(const Checkpoint& checkpoint, const PipelineTables& tables)
    const {
    return start_replication(
        slot_name(),
        stream_start(checkpoint),
        {settings_.source.publications,
         tables.form(),
         settings_.source.streaming,
         two_phase_,
         source_version_}
    );
}

SessionOptions Service::session_options(const PipelineTables& tables, std::optional<Lsn> until)
    const {
    SessionOptions wanted;
    wanted.form = tables.form();
    wanted.until = until;
    wanted.source_end = before_page_header(source_end_);
    wanted.singly_until = singly_until_;
    const auto limit = settings_.memory_limit_bytes;
    const auto part = (limit - std::min(memory_at_rest, limit / 2)) / memory_parts;
    wanted.limits = {
        settings_.batch.max_delay,
        settings_.batch.rows_max,
        std::min(settings_.batch.bytes_max, part)};
    wanted.acknowledge_interval = settings_.acknowledge.interval;
    wanted.status_interval = std::clamp(
        wal_sender_timeout_ms_ <= 0
            ? status_interval_max
            : std::chrono::milliseconds{wal_sender_timeout_ms_ / status_interval_fraction},
        status_interval_min,
        status_interval_max
    );
    wanted.receive_timeout = settings_.source.receive_timeout;
    wanted.spool_dir = settings_.spool_dir;
    wanted.transaction_memory_max = part;
    return wanted;
}

HoldBack Service::hold_back(pq::Connection& target) const {
    const auto& window = settings_.acknowledge.hold_back;
    if (!window.any()) return {};
    const auto now = Clock::now();
    std::deque<HoldBack::Mark> marks;
    for (const auto& mark : pg::read_position_marks(target, settings_.pipeline)) {
        marks.push_back({mark.position, now - mark.age});
    }
    return {window, slot_position_, std::move(marks)};
}

Service::Turn Service::stream(
    pq::Connection& target,
    PipelineTables& tables,
    std::optional<Lsn> until,
    bool seam
) {
    const auto checkpoint = pg::read_checkpoint(target, settings_.pipeline);
    if (!checkpoint) {
        throw NeedsOperator{
            "checkpoint of pipeline \"" + settings_.pipeline + "\" has disappeared",
            "It was there a moment ago.",
            "Somebody has deleted its row in pgchronicle.checkpoint. Restore it as it was."};
    }
    auto wanted = session_options(tables, until);
    if (!replay_) wanted.hold_back = hold_back(target);
    pg::PgHistorySink sink{target, settings_.pipeline, *checkpoint};
    const auto window = settings_.acknowledge.hold_back.time;
    if (!replay_ && window.count() != 0) {
        sink.mark_positions(window, HoldBack::spacing(window));
    }

    auto options = source_options();
    options.replication = true;
    auto connection = pq::Connection::open(options);

    Session::Parts parts{
        sink,
        tables,
        log_,
        [this] { life_.beat(30s); },
        [&target] { target.interrupt(true); },
        [&tables] { tables.interrupt_source(); },
        [this] {
            if (!copy_left_) settle();
        },
        {},
        [this] { ends_unreadable_ = true; }};
    if (options_.observer != nullptr) {
        parts.on_batch = [observer = options_.observer](const BatchWritten& batch) {
            observer->batch_written(batch);
        };
    }
    if (!ends_unreadable_) {
        parts.commit_end = [this](const pgoutput::Begin& begin) {
            return read_commit_end(source_options(), begin);
        };
    }
    AsioLoop loop;
    auto replication = std::make_unique<ReplicationStream>(
        loop.executor(), std::move(connection), start_command(*checkpoint, tables)
    );
    wanted.start = stream_start(*checkpoint);
    Session session{
        {loop, std::move(replication), std::make_unique<WriterThread>()},
        *checkpoint,
        std::move(wanted),
        parts};
    log_.info(
        "stream_started",
        {{"slot", slot_name()},
         {"start_lsn", to_string(checkpoint->position)},
         {"form", tables.form() == history_writer::WireForm::binary ? "binary" : "text"}}
    );
    if (!seam) {
        reconciling_ = false;
        life_.notify_ready();
        life_.notify_status("streaming");
    }
    switch (run_session(session)) {
    case SessionEnd::stopped:
        log_.info("stopping");
        return Turn::finished;
    case SessionEnd::until_reached:
        if (!seam) log_.info("until_reached", {{"position", to_string(*until)}});
        return Turn::finished;
    case SessionEnd::copy_due:
        return Turn::again;
    }
    return Turn::finished;
}

}  // namespace pgchronicle::replicator::io
