#include "commands/repair_source.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "commands/timeline_history.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/quarantine_store.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>

namespace pgchronicle::commands {
namespace {

namespace pg = history_writer::pg;

std::string told(const history_writer::SourceIdentity& source) {
    return fmt::format(
        "system {}, timeline {}, database \"{}\", slot \"{}\"",
        source.system_identifier,
        source.timeline,
        source.database,
        source.slot
    );
}

/// What the source that is configured is.
history_writer::SourceIdentity
identity_of(const config::Settings& settings, const source_catalog::Server& server) {
    return {
        server.system_identifier,
        server.timeline,
        server.database,
        settings.source.slot,
        settings.source.publications};
}

bool same_source(
    const history_writer::SourceIdentity& one,
    const history_writer::SourceIdentity& other
) {
    return one.system_identifier == other.system_identifier && one.timeline == other.timeline &&
           one.database == other.database && one.slot == other.slot;
}

Refusal source_behind(const history_writer::Checkpoint& checkpoint, pgoutput::Lsn end) {
    return {
        .primary = "the source is behind the checkpoint",
        .detail = fmt::format(
            "It has written up to {}, and the history reaches up to {}.",
            to_string(end),
            to_string(checkpoint.position)
        ),
        .hint =
            "What it writes from here on would be taken for what is known already. It cannot be "
            "taken over; begin a new history beside this one.",
    };
}

/// Up to where the source holds what the history's timeline held; nothing where it comes from
/// another one. Asked over a replication connection: the file may be read by few others.
std::optional<pgoutput::Lsn> shared_with(const config::Settings& settings, std::uint32_t then) {
    auto options = connect_options(settings.source.connection, "repair accept-source");
    options.replication = true;
    auto connection = pq::Connection::open(options);
    const auto now = connection.exec("IDENTIFY_SYSTEM").int64(0, 1);
    if (now == 1) return std::nullopt;  // The first one has no history file.
    const auto file = connection.exec(fmt::format("TIMELINE_HISTORY {}", now));
    return shared_until(parse_timeline_history(file.text(0, 1)), then);
}

Refusal
other_branch(const history_writer::Checkpoint& checkpoint, std::optional<pgoutput::Lsn> shared) {
    const auto reached = fmt::format(
        "The history reaches up to {} on timeline {}",
        to_string(checkpoint.last_commit_end),
        checkpoint.source.timeline
    );
    return {
        .primary = "the source has left the history's timeline before the checkpoint",
        .detail = shared ? fmt::format("{}, which it left at {}.", reached, to_string(*shared))
                         : reached + ", which it does not come from.",
        .hint =
            "The history may hold what this source never committed, and lack what it did. It "
            "cannot be taken over; begin a new history beside this one.",
    };
}

void store_identity(
    pq::Connection& target,
    const std::string& pipeline,
    const history_writer::SourceIdentity& source,
    pgoutput::Lsn position
) {
    target.exec(
        "UPDATE pgchronicle.checkpoint SET system_identifier = $2, timeline = $3::integer,"
        " database_name = $4, slot = $5, position = $6::pg_lsn, updated_at = now()"
        " WHERE pipeline = $1",
        {pipeline,
         source.system_identifier,
         std::to_string(source.timeline),
         source.database,
         source.slot,
         to_string(position)}
    );
}

}  // namespace

int repair_accept_source(
    const config::Settings& settings,
    const std::string& reason,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "repair accept-source");
    auto source = connect(settings.source.connection, "repair accept-source");
    pg::ensure_metadata(target);
    if (const auto no = lock_or_refuse(target, settings.pipeline)) return report(*no, err);
    const auto checkpoint = pg::read_checkpoint(target, settings.pipeline);
    if (!checkpoint) return report(no_checkpoint(settings.pipeline), err);
    const auto server = source_catalog::read_server(source);
    const auto now = identity_of(settings, server);
    if (same_source(checkpoint->source, now)) {
        out << "nothing to accept: the checkpoint is of this source\n";
        return exit_done;
    }
    auto position = checkpoint->position;
    if (now.system_identifier == checkpoint->source.system_identifier &&
        now.timeline != checkpoint->source.timeline) {
        const auto shared = shared_with(settings, checkpoint->source.timeline);
        if (!shared || *shared < checkpoint->last_commit_end) {
            return report(other_branch(*checkpoint, shared), err);
        }
        // After the last commit there was nothing of ours on the old timeline, and there may be
        // on the new one.
        position = std::min(position, *shared);
    }
    if (server.flush_lsn < position) {
        return report(source_behind(*checkpoint, server.flush_lsn), err);
    }
    auto change = fmt::format("from {} to {}", told(checkpoint->source), told(now));
    if (position < checkpoint->position) {
        change += fmt::format(
            "; position set back from {} to {}, with no commit between",
            to_string(checkpoint->position),
            to_string(position)
        );
    }
    durably(target, [&] {
        store_identity(target, settings.pipeline, now, position);
        record(
            target,
            settings.pipeline,
            {"repair accept-source", reason, change, position, checkpoint->position}
        );
    });
    out << fmt::format("accepted: {}\n", one_line(change));
    return exit_done;
}

int repair_reseed(
    const config::Settings& settings,
    const RepairReseedOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "repair reseed");
    pg::ensure_metadata(target);
    if (const auto no = lock_or_refuse(target, settings.pipeline)) return report(*no, err);
    if (const auto no = refuse_replay(target, settings.pipeline)) return report(*no, err);
    for (const auto& one : pg::read_quarantines(target, settings.pipeline)) {
        if (one.name() != options.table) continue;
        return report(
            {.primary = fmt::format("table \"{}\" is in quarantine", options.table),
             .hint = "\"pgchronicle repair release\" ends that, and compares it, too."},
            err
        );
    }
    bool marked = false;
    durably(target, [&] {
        // A table that is still to be copied gets its seam anyway.
        marked = target
                     .exec(
                         "UPDATE pgchronicle.table_state SET compare_as = CASE state"
                         " WHEN 'copied' THEN 'RECONCILE' END WHERE pipeline = $1"
                         " AND source_schema || '.' || source_table = $2 AND state <> 'ended'",
                         {settings.pipeline, options.table}
                     )
                     .affected() == 1;
        if (!marked) return;
        record(target, settings.pipeline, {"repair reseed", options.reason, options.table, {}, {}});
    });
    if (!marked) {
        return report(
            {.exit_code = exit_usage,
             .primary = fmt::format("table \"{}\" is not followed", options.table),
             .hint = "Name it as schema.table; \"pgchronicle status\" lists them."},
            err
        );
    }
    out << fmt::format(
        "the rows of {} are compared with the source when the pipeline starts\n",
        one_line(options.table)
    );
    return exit_done;
}

}  // namespace pgchronicle::commands
