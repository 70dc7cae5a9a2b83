#include "verify/verification.hpp"

#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "verify/each_table.hpp"
#include "verify/source_at.hpp"
#include "verify/unread_changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace pgchronicle::verify {
namespace {

namespace pg = history_writer::pg;

using Clock = std::chrono::steady_clock;

history_writer::Checkpoint
read_checkpoint(pq::Connection& target, const config::Settings& settings) {
    if (pg::has_metadata(target)) {
        if (auto checkpoint = pg::read_checkpoint(target, settings.pipeline)) return *checkpoint;
    }
    throw Impossible{
        Impossible::Reason::behind,
        fmt::format("pipeline \"{}\" has no history yet", settings.pipeline),
        "",
        "Start \"pgchronicle run\", and verify when the tables are copied."};
}

void require_same_source(
    const history_writer::SourceIdentity& known,
    const config::Settings& settings,
    const source_catalog::Server& source
) {
    if (known.system_identifier == source.system_identifier && known.database == source.database) {
        return;
    }
    throw Impossible{
        Impossible::Reason::other_source,
        fmt::format("the history of pipeline \"{}\" is another source's", settings.pipeline),
        fmt::format(
            "It was read from database \"{}\" of system {}; the source is database \"{}\" of "
            "system {}.",
            known.database,
            known.system_identifier,
            source.database,
            source.system_identifier
        ),
        "Verify with the configuration that it is written with."};
}

[[noreturn]] void fail_behind(
    const std::string& holder,
    std::chrono::seconds waited,
    pgoutput::Lsn lsn,
    pgoutput::Lsn position
) {
    throw Impossible{
        Impossible::Reason::behind,
        fmt::format(
            "the history did not reach LSN {} of the source within {} s",
            to_string(lsn),
            waited.count()
        ),
        fmt::format(
            "Its checkpoint stands at {}. {} Nothing was compared.",
            to_string(position),
            holder.empty() ? "No process runs the pipeline."
                           : "The pipeline is run by " + holder + "."
        ),
        holder.empty() ? "Start \"pgchronicle run\"."
                       : "See \"pgchronicle status\"; a longer --timeout may do."};
}

/// Waits until nothing below `lsn` is missing in the target. Returns what is to be known of it, if
/// anything.
std::string wait_for_target(
    pq::Connection& target,
    const config::Settings& settings,
    const Options& options,
    pgoutput::Lsn lsn
) {
    constexpr std::chrono::milliseconds poll{50};
    // Somebody may just be starting it again.
    constexpr std::chrono::seconds alone_max{5};
    const auto deadline = Clock::now() + options.timeout;
    const auto alone_for = std::min(options.timeout, alone_max);
    bool alone = false;
    auto alone_until = deadline;
    for (;;) {
        const auto holder = pg::pipeline_lock_holder(target, settings.pipeline, "");
        const auto position = read_checkpoint(target, settings).position;
        if (position >= lsn) return "";
        const bool was_alone = std::exchange(alone, holder.empty());
        if (alone && !was_alone) {
            const UnreadRange range{position, lsn};
            if (unread_changes(options.source, settings, range, options.timeout, options.stop) ==
                Unread::nothing) {
                return fmt::format(
                    "No process runs the pipeline; its checkpoint stands at {}, and no change "
                    "waits behind that: the history is complete up to this LSN.",
                    to_string(position)
                );
            }
            alone_until = Clock::now() + alone_for;
        }
        const auto now = Clock::now();
        if (alone && now >= alone_until) fail_behind(holder, alone_for, lsn, position);
        if (now >= deadline) fail_behind(holder, options.timeout, lsn, position);
        std::this_thread::sleep_for(poll);
    }
}

/// Settings that only some servers have; `connection` may be in a transaction.
void set_if_known(pq::Connection& connection, const char* sql) {
    const bool inside = connection.in_transaction();
    try {
        if (inside) connection.exec("SAVEPOINT setting");
        connection.exec(sql);
    } catch (const pq::Error& error) {
        if (error.connection_lost()) throw;
        if (inside) connection.exec("ROLLBACK TO setting");
    }
    if (inside) connection.exec("RELEASE setting");
}

void prepare_session(pq::Connection& connection, const Options& options) {
    // While a server reads a table, it does not look whether its client is still there, unless told
    // to: should we be killed, it would go on to the end. Not every system can look.
    set_if_known(connection, "SET client_connection_check_interval = '2s'");
    // From 17 on; it cannot be among what every connection pins.
    set_if_known(connection, "SET transaction_timeout = 0");
    // Somebody may alter a history table in a transaction that stays open.
    connection.exec(fmt::format("SET lock_timeout = '{}s'", options.timeout.count()));
}

}  // namespace

Report verify(const config::Settings& settings, const Options& options) {
    const auto begun = Clock::now();
    auto target = pq::Connection::open(options.target);
    const auto known = read_checkpoint(target, settings).source;
    auto source = take_source(settings, options);
    require_same_source(known, settings, source.server);
    // The statements that run fail, and so does whatever is tried next.
    const std::stop_callback cut{options.stop, [&] {
                                     source.connection().interrupt(true);
                                     target.interrupt(true);
                                 }};
    prepare_session(source.connection(), options);
    prepare_session(target, options);
    options.on_progress({.table = "", .step = "waiting for the history", .done = 0, .total = 0});
    Report report;
    report.note = wait_for_target(target, settings, options, source.lsn());
    // One state of the target for all that follows: the stream goes on.
    target.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    report.pipeline = settings.pipeline;
    report.lsn = source.lsn();
    report.time = source.snapshot.stamp.time;
    if (options.sample) report.sample = {options.sample->asked, options.sample->seed};
    report.tables = verify_each_table(settings, options, source, target);
    if (report.tables.empty()) {
        throw Impossible{
            Impossible::Reason::no_table,
            fmt::format("pipeline \"{}\" has no table", settings.pipeline),
            "Neither is one published, nor has one been followed.",
            "\"pgchronicle check\" tells what is published."};
    }
    report.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    return report;
}

}  // namespace pgchronicle::verify
