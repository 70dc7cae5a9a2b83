#include "commands/replay.hpp"

#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "commands/replay_plan.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "history_writer/pg/rewind.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <variant>

namespace pgchronicle::commands {
namespace {

namespace pg = history_writer::pg;

bool is_readable(pq::Connection& source, const std::string& slot_name) {
    const auto slot = source_catalog::read_slot(source, slot_name);
    return slot && slot->wal_status != "lost" && slot->invalidation_reason.empty();
}

/// Makes the replay's slot and sets the history back. What is left of an earlier replay is used up.
std::optional<Refusal> set_back(
    ReplaySides sides,
    const config::Settings& settings,
    const ReplayOptions& options,
    const ReplayPlan& plan,
    pgoutput::Lsn until
) {
    const auto slot = note_replay_slot(
        sides.target,
        settings.pipeline,
        replicator::slot_name_of("replay", settings.pipeline, "", std::random_device{}())
    );
    try {
        if (auto no = make_replay_slot(sides.source, settings, plan, slot, until)) {
            clear_away(sides, settings.pipeline);
            return no;
        }
        durably(sides.target, [&] {
            pg::rewind(sides.target, settings, plan.from);
            const auto detail = fmt::format("slot \"{}\", a copy of \"{}\"", slot, plan.slot);
            record(
                sides.target,
                settings.pipeline,
                {"replay", options.reason, detail, plan.from.position, until}
            );
        });
    } catch (const pg::CannotRewind& error) {
        clear_away(sides, settings.pipeline);
        return cannot_set_back(error);
    } catch (...) {
        clear_away(sides, settings.pipeline);
        throw;
    }
    return std::nullopt;
}

}  // namespace

std::optional<int> begin_replay(
    const config::Settings& settings,
    const ReplayOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "replay");
    auto source = connect(settings.source.connection, "replay");
    pg::ensure_metadata(target);
    if (const auto no = lock_or_refuse(target, settings.pipeline)) return report(*no, err);
    const auto checkpoint = pg::read_checkpoint(target, settings.pipeline);
    if (!checkpoint) return report(no_checkpoint(settings.pipeline), err);
    const auto server = source_catalog::read_server(source);
    if (const auto no = refuse_other_source(settings, server, checkpoint)) return report(*no, err);

    const auto planned = plan_replay({source, target}, settings, *checkpoint, options.from);
    if (const auto* const no = std::get_if<Refusal>(&planned)) return report(*no, err);
    const auto& plan = std::get<ReplayPlan>(planned);
    const auto replay = pg::read_replay(target, settings.pipeline);
    if (replay && replay->from == plan.from.position && is_readable(source, replay->slot)) {
        out << fmt::format("the replay from {} goes on\n", to_string(*replay->from));
        return std::nullopt;
    }
    const auto until = replay && replay->from ? std::max(replay->until, checkpoint->position)
                                              : checkpoint->position;
    if (until == plan.from.position) {
        out << fmt::format("nothing to replay: the history reaches up to {}\n", to_string(until));
        return exit_done;
    }
    if (const auto no = set_back({source, target}, settings, options, plan, until)) {
        return report(*no, err);
    }
    tell_left_alone(target, settings, "its history is left as it is", out);
    out << fmt::format(
        "set back from {} to {}; streaming it again\n",
        to_string(checkpoint->position),
        to_string(plan.from.position)
    );
    return std::nullopt;
}

}  // namespace pgchronicle::commands
