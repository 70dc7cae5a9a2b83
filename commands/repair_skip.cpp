#include "commands/repair_skip.hpp"

#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "commands/readable_from.hpp"
#include "commands/refusal.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <ostream>

namespace pgchronicle::commands {
namespace {

using history_writer::Checkpoint;
using pgoutput::Lsn;

constexpr const char* command_name = "repair skip";

/// The state that `repair skip` begins with.
struct Scene {
    source_catalog::Server server;
    source_catalog::Slot slot;
    std::optional<Checkpoint> checkpoint;

    /// Up to where nothing is missing.
    [[nodiscard]] Lsn complete_to() const {
        return checkpoint ? checkpoint->position : slot.confirmed_flush_lsn;
    }
    /// From where the slot would be read next: START_REPLICATION never goes back.
    [[nodiscard]] Lsn next_read() const {
        return std::max(complete_to(), slot.confirmed_flush_lsn);
    }
};

std::optional<Refusal> refuse_slot(
    const config::Settings& settings,
    const source_catalog::Server& server,
    const std::optional<source_catalog::Slot>& slot
) {
    const std::string& name = settings.source.slot;
    if (!slot)
        return Refusal{.primary = fmt::format("replication slot \"{}\" does not exist", name)};
    if (slot->plugin != "pgoutput" || slot->database != server.database) {
        return Refusal{
            .primary = fmt::format(
                R"(replication slot "{}" is not a pgoutput slot of database "{}")",
                name,
                server.database
            ),
            .hint = R"("pgchronicle check" says more.)",
        };
    }
    if (slot->wal_status == "lost" || !slot->invalidation_reason.empty()) {
        return Refusal{
            .primary = fmt::format("replication slot \"{}\" is lost", name),
            .detail = "There is nothing left in it that could be passed.",
        };
    }
    if (slot->active) {
        return Refusal{
            .primary = fmt::format("replication slot \"{}\" is in use", name),
            .detail = fmt::format("Process {} reads it.", slot->active_pid),
            .hint = "Stop its reader first.",
        };
    }
    return std::nullopt;
}

std::optional<Refusal>
refuse_publications(pq::Connection& source, const std::vector<std::string>& names) {
    const auto found = source_catalog::read_publications(source, names);
    for (const std::string& name : names) {
        if (std::ranges::find(found, name, &source_catalog::Publication::name) == found.end()) {
            return Refusal{
                .primary = fmt::format("publication \"{}\" does not exist", name),
                .hint = "Create it first; changes can be read only from there on.",
            };
        }
    }
    return std::nullopt;
}

std::optional<Refusal> refuse_position(const Scene& scene, Lsn to) {
    if (to > scene.complete_to() && to >= scene.slot.confirmed_flush_lsn &&
        to <= scene.server.flush_lsn) {
        return std::nullopt;
    }
    return Refusal{
        .exit_code = exit_usage,
        .primary = fmt::format("cannot skip to {}", to_string(to)),
        .detail = fmt::format(
            "The history is complete up to {}, the slot stands at {}, and the source has written "
            "up to {}.",
            to_string(scene.complete_to()),
            to_string(scene.slot.confirmed_flush_lsn),
            to_string(scene.server.flush_lsn)
        ),
        .hint = "Name a position between the last two.",
    };
}

bool confirmed(std::istream& in, std::ostream& out) {
    out << "Skip them? They will be missing from the history for good. [y/N] " << std::flush;
    std::string answer;
    std::getline(in, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

/// Writes the gap, the audit row and the checkpoint in one transaction that is on disk when this
/// returns. Run again with the same range, it leaves one gap and one more audit row.
void store(
    pq::Connection& target,
    const config::Settings& settings,
    const RepairSkipOptions& options,
    Lsn from,
    Lsn to
) {
    const std::string& pipeline = settings.pipeline;
    const std::string detail = fmt::format("slot \"{}\"", settings.source.slot);
    durably(target, [&] {
        if (to > from) {
            target.exec(
                "INSERT INTO pgchronicle.gap (pipeline, from_lsn, to_lsn, reason, detail)"
                " SELECT $1, $2::pg_lsn, $3::pg_lsn, 'skipped by an operator', $4"
                " WHERE NOT EXISTS (SELECT FROM pgchronicle.gap WHERE pipeline = $1"
                " AND source_table IS NULL AND from_lsn = $2::pg_lsn AND to_lsn = $3::pg_lsn)",
                {pipeline, to_string(from), to_string(to), options.reason}
            );
        }
        // Of one that is under way nothing comes any more, or this would have been refused.
        history_writer::pg::clear_replay(target, pipeline);
        commands::record(target, pipeline, {command_name, options.reason, detail, from, to});
        target.exec(
            "UPDATE pgchronicle.checkpoint SET position = $2::pg_lsn, updated_at = now()"
            " WHERE pipeline = $1 AND position < $2::pg_lsn",
            {pipeline, to_string(to)}
        );
    });
}

/// Where to go on; equal to next_read() when nothing is in the way there.
Lsn find_position(
    pq::Connection& source,
    const config::Settings& settings,
    const Scene& scene,
    std::ostream& out
) {
    const auto& publications = settings.source.publications;
    const Lsn next = scene.next_read();
    if (is_readable_from(source, scene.slot.name, publications, next)) return next;
    out << fmt::format(
        "changes from {} on cannot be read; looking for where they can, up to {}\n",
        to_string(next),
        to_string(scene.server.flush_lsn)
    );
    auto prober = connect(settings.source.connection, command_name);
    return readable_from(
        {.keeper = source, .prober = prober},
        scene.slot.name,
        publications,
        {next, scene.server.flush_lsn}
    );
}

int skip(
    pq::Connection& source,
    pq::Connection& target,
    const config::Settings& settings,
    const RepairSkipOptions& options,
    const Scene& scene,
    std::istream& in,
    std::ostream& out,
    std::ostream& err
) {
    const Lsn from = scene.complete_to();
    const Lsn to = options.to ? *options.to : find_position(source, settings, scene, out);
    const std::string range = fmt::format("from {} to {}", to_string(from), to_string(to));
    if (to > from) {
        if (const auto refusal = refuse_position(scene, to)) return report(*refusal, err);
        out << fmt::format("{} bytes of WAL are skipped, {}\n", bytes_between(from, to), range);
        if (options.asks && !confirmed(in, out)) {
            out << "nothing was done\n";
            return exit_needs_operator;
        }
    } else if (options.to) {
        return report(*refuse_position(scene, to), err);
    } else if (is_readable_from(
                   source,
                   scene.slot.name,
                   settings.source.publications,
                   scene.slot.confirmed_flush_lsn
               )) {
        out << fmt::format("nothing to skip: changes from {} on can be read\n", to_string(to));
        return exit_done;
    }
    // Also where the range is empty: a run that was killed has stored it already, and what is
    // acknowledged below must be on the target's disk.
    store(target, settings, options, from, to);
    if (scene.slot.confirmed_flush_lsn < to) advance_slot(source, scene.slot.name, to);
    if (to > from) {
        out << fmt::format(
            "skipped {}; recorded in pgchronicle.gap and pgchronicle.audit\n", range
        );
    } else {
        out << fmt::format("moved the slot to {}, as was recorded before\n", to_string(to));
    }
    if (!is_readable_from(source, scene.slot.name, settings.source.publications, to)) {
        out << "changes made before the publication existed have come since, or are left: run this "
               "again\n";
    }
    return exit_done;
}

/// A replay that is under way fills the range by itself, as long as its slot can be read.
std::optional<Refusal> refuse_readable_replay(
    pq::Connection& source,
    pq::Connection& target,
    const std::string& pipeline
) {
    const auto replay = history_writer::pg::read_replay(target, pipeline);
    if (!replay) return std::nullopt;
    const auto slot = source_catalog::read_slot(source, replay->slot);
    if (!slot) return std::nullopt;
    if (slot->wal_status != "lost" && slot->invalidation_reason.empty())
        return refuse_replay(target, pipeline);
    source.exec(replicator::drop_slot_sql, {replay->slot});
    return std::nullopt;
}

}  // namespace

int repair_skip(
    const config::Settings& settings,
    const RepairSkipOptions& options,
    std::istream& in,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, command_name);
    auto source = connect(settings.source.connection, command_name);
    history_writer::pg::ensure_metadata(target);
    if (const auto no = lock_or_refuse(target, settings.pipeline)) return report(*no, err);
    if (const auto no = refuse_readable_replay(source, target, settings.pipeline))
        return report(*no, err);
    Scene scene;
    scene.server = source_catalog::read_server(source);
    auto slot = source_catalog::read_slot(source, settings.source.slot);
    if (const auto no = refuse_slot(settings, scene.server, slot)) return report(*no, err);
    scene.slot = std::move(*slot);
    scene.checkpoint = history_writer::pg::read_checkpoint(target, settings.pipeline);
    if (const auto no = refuse_other_source(settings, scene.server, scene.checkpoint))
        return report(*no, err);
    if (const auto no = refuse_publications(source, settings.source.publications)) {
        return report(*no, err);
    }
    return skip(source, target, settings, options, scene, in, out, err);
}

}  // namespace pgchronicle::commands
