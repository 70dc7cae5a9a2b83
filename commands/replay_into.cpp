#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "commands/replay.hpp"
#include "commands/replay_plan.hpp"
#include "history_writer/history_table.hpp"
#include "history_writer/kept_slot.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "history_writer/pg/rewind.hpp"
#include "history_writer/pg/shadow.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <ostream>
#include <random>
#include <variant>

namespace pgchronicle::commands {
namespace {

namespace pg = history_writer::pg;
using pgoutput::Lsn;

std::optional<Refusal> refuse_range(Lsn from, Lsn until, Lsn position) {
    if (from < until && until <= position) return std::nullopt;
    return Refusal{
        .exit_code = exit_usage,
        .primary = fmt::format("cannot replay until {}", to_string(until)),
        .detail = fmt::format(
            "It begins at {}, and the history reaches up to {}.",
            to_string(from),
            to_string(position)
        ),
        .hint = "Name a position between the two.",
    };
}

std::optional<Refusal>
refuse_schema(pq::Connection& target, const config::Settings& settings, const std::string& into) {
    const auto there = target.exec(
        "SELECT FROM pgchronicle.table_state WHERE target_schema = $1 AND pipeline <> $2 LIMIT 1",
        {into, settings_of_copy(settings, into).pipeline}
    );
    if (there.rows() == 0) return std::nullopt;
    return Refusal{
        .exit_code = exit_usage,
        .primary = fmt::format("schema \"{}\" holds history already", into),
        .hint = "Name another schema: the copy is made beside the history.",
    };
}

/// Makes the slot and the copy; what was there of an earlier copy is replaced.
std::optional<Refusal> copy(
    ReplaySides sides,
    const config::Settings& settings,
    const ReplayOptions& options,
    const ReplayPlan& plan,
    Lsn until
) {
    const auto shadow = settings_of_copy(settings, options.into);
    const auto slot = note_replay_slot(
        sides.target,
        shadow.pipeline,
        replicator::slot_name_of("replay", settings.pipeline, options.into, std::random_device{}())
    );
    if (auto no = make_replay_slot(sides.source, settings, plan, slot, until)) return no;
    const auto tables = pg::followed(sides.target, settings);
    durably(sides.target, [&] {
        // All of it as of one moment: the pipeline may be writing.
        sides.target.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        pg::hold_still(sides.target, settings, tables);
        if (const auto obstacle = pg::find_obstacle(sides.target, settings, plan.from.position)) {
            throw pg::CannotRewind{fmt::format("Meanwhile, {}.", obstacle->what)};
        }
        pg::drop_shadow(sides.target, shadow.pipeline);
        pg::build_shadow(sides.target, settings, shadow, plan.from, until);
        const auto detail = fmt::format("into schema \"{}\", slot \"{}\"", options.into, slot);
        record(
            sides.target,
            settings.pipeline,
            {"replay into", options.reason, detail, plan.from.position, until}
        );
    });
    return std::nullopt;
}

}  // namespace

std::string schema_of_range(const config::Settings& settings) {
    const auto schema = settings.target.schema + "_replay";
    const bool pattern = schema.find('{') != std::string::npos;
    return pattern ? schema : history_writer::shortened(schema);
}

config::Settings settings_of_copy(const config::Settings& settings, const std::string& into) {
    auto shadow = settings;
    shadow.pipeline = history_writer::pipeline_of_copy(settings.pipeline, into);
    shadow.target.schema = into;
    // What is copied has been told already.
    for (auto& [table, rules] : shadow.tables.overrides) rules.on_change.reset();
    return shadow;
}

std::optional<int> begin_replay_into(
    const config::Settings& settings,
    const ReplayOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "replay");
    auto source = connect(settings.source.connection, "replay");
    pg::ensure_metadata(target);
    const auto shadow = settings_of_copy(settings, options.into);
    if (const auto no = lock_or_refuse(target, shadow.pipeline)) return report(*no, err);
    if (const auto no = refuse_schema(target, settings, options.into)) return report(*no, err);
    const auto checkpoint = pg::read_checkpoint(target, settings.pipeline);
    if (!checkpoint) return report(no_checkpoint(settings.pipeline), err);
    const auto server = source_catalog::read_server(source);
    if (const auto no = refuse_other_source(settings, server, checkpoint)) return report(*no, err);
    if (const auto live = pg::read_replay(target, settings.pipeline); live && live->from) {
        return report(
            {.primary = "a replay of the history itself is under way",
             .hint = "Let \"pgchronicle run\" finish it."},
            err
        );
    }
    const auto planned = plan_replay({source, target}, settings, *checkpoint, options.from);
    if (const auto* const no = std::get_if<Refusal>(&planned)) return report(*no, err);
    const auto& plan = std::get<ReplayPlan>(planned);
    const auto until = options.until.value_or(checkpoint->position);
    if (const auto no = refuse_range(plan.from.position, until, checkpoint->position)) {
        return report(*no, err);
    }
    std::optional<Refusal> no;
    try {
        no = copy({source, target}, settings, options, plan, until);
    } catch (const pg::CannotRewind& error) {
        no = cannot_set_back(error);
    } catch (const pg::ShadowTaken& error) {
        no = Refusal{
            .exit_code = exit_usage,
            .primary = fmt::format("schema \"{}\" cannot take the copy", options.into),
            .detail = error.what(),
            .hint = error.hint(),
        };
    } catch (const pq::Error&) {
        clear_away({source, target}, shadow.pipeline);
        throw;
    }
    if (no) {
        clear_away({source, target}, shadow.pipeline);
        return report(*no, err);
    }
    tell_left_alone(target, settings, "it is not copied", out);
    out << fmt::format(
        "copied the history as of {} into schema \"{}\"; streaming it on to {}\n",
        to_string(plan.from.position),
        options.into,
        to_string(until)
    );
    return std::nullopt;
}

}  // namespace pgchronicle::commands
