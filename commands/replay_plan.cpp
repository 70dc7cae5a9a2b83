#include "commands/replay_plan.hpp"

#include "commands/aligned_table.hpp"
#include "commands/probe_slot.hpp"
#include "commands/readable_from.hpp"
#include "history_writer/pg/replay_store.hpp"
#include "history_writer/pg/rewind.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <utility>
#include <vector>

namespace pgchronicle::commands {
namespace {

namespace pg = history_writer::pg;
using pgoutput::Lsn;

/// An operator who asks for a replay waits.
constexpr std::chrono::seconds probe_time_limit{5};

/// A slot from which some of the past can be read again.
struct Window {
    std::string name;  ///< As an operator knows it.
    source_catalog::Slot slot;
    Lsn first;  ///< The oldest position that it is of use for.
    bool bookmark{false};
};

std::vector<Window> find_windows(
    pq::Connection& source,
    const config::Settings& settings,
    const std::vector<pg::Bookmark>& bookmarks
) {
    std::vector<Window> windows;
    const auto add = [&](Window window, const std::string& slot_name) {
        auto slot = source_catalog::read_slot(source, slot_name);
        if (!slot || slot->wal_status == "lost" || !slot->invalidation_reason.empty()) return;
        window.first = std::max(window.first, slot->confirmed_flush_lsn);
        window.slot = *std::move(slot);
        windows.push_back(std::move(window));
    };
    add({fmt::format("slot \"{}\"", settings.source.slot), {}, {}, false}, settings.source.slot);
    for (const auto& bookmark : bookmarks) {
        if (!bookmark.point) continue;
        const auto name = fmt::format("bookmark \"{}\"", bookmark.name);
        add({name, {}, bookmark.point->position, true}, bookmark.slot);
    }
    return windows;
}

/// Of what the slots keep, what lies behind everything that cannot come again.
std::string what_can(const std::vector<Window>& windows, Lsn floor) {
    std::string list;
    for (const auto& window : windows) {
        // A bookmark is one place, the pipeline's own slot a stretch.
        if (window.bookmark && window.first < floor) continue;
        list += fmt::format(
            "{}{} from {}",
            list.empty() ? "" : ", ",
            window.name,
            to_string(std::max(window.first, floor))
        );
    }
    return list.empty() ? "Nothing can be replayed." : "What can be replayed: " + list + ".";
}

/// The place that `from` means; nothing when no such place is known.
std::optional<pg::ReplayPoint> point_of(
    pq::Connection& target,
    const config::Settings& settings,
    const std::vector<pg::Bookmark>& bookmarks,
    Lsn from
) {
    auto point = pg::last_commit_at(target, settings, from);
    for (const auto& bookmark : bookmarks) {
        if (!bookmark.point || bookmark.point->position > from) continue;
        if (!point || bookmark.point->position >= point->position) point = bookmark.point;
    }
    return point;
}

Refusal unknown(const std::string& from) {
    return {
        .exit_code = exit_usage,
        .primary = fmt::format("\"{}\" is neither a bookmark nor an LSN", from),
        .hint =
            R"("pgchronicle bookmark list" shows the bookmarks; an LSN looks like 16/B374D848.)",
    };
}

Refusal unfinished(const std::string& name) {
    return {
        .primary = fmt::format("bookmark \"{}\" was never finished", name),
        .hint = "Drop it: no position was kept for it.",
    };
}

Refusal beyond(const history_writer::Checkpoint& checkpoint, Lsn from, bool under_way) {
    return {
        .exit_code = exit_usage,
        .primary = fmt::format("cannot replay from {}", to_string(from)),
        .detail = fmt::format("The history reaches only up to {}.", to_string(checkpoint.position)),
        .hint = under_way ? "A replay is under way. Let \"pgchronicle run\" finish it, or name an "
                            "earlier position."
                          : "",
    };
}

Refusal not_kept(const std::vector<Window>& windows, const std::string& from, Lsn floor) {
    return {
        .primary = fmt::format("changes from {} on are not kept any more", from),
        .detail = what_can(windows, floor),
        .hint = "Make a bookmark before it is needed, or set acknowledge.hold_back.",
    };
}

Refusal still_to_read(const pg::KeptTable& table, Lsn from) {
    return {
        .primary = fmt::format("cannot replay from {}", to_string(from)),
        .detail = fmt::format(
            "Table \"{}.{}\" is still to be copied from the source, or compared with it.",
            table.source_schema,
            table.source_table
        ),
        .hint = "Let \"pgchronicle run\" finish that first.",
    };
}

Refusal not_in_wal(const pg::Obstacle& obstacle, const std::vector<Window>& windows, Lsn from) {
    if (!obstacle.lsn.valid()) {
        return {
            .primary = fmt::format("cannot replay from {}", to_string(from)),
            .detail = fmt::format("The {}.", obstacle.what),
            .hint = obstacle.hint,
        };
    }
    return {
        .primary =
            fmt::format("cannot replay from {}: not everything is in the WAL", to_string(from)),
        .detail = fmt::format(
            "At {}: {}. {}", to_string(obstacle.lsn), obstacle.what, what_can(windows, obstacle.lsn)
        ),
        .hint = fmt::format(
            "Only what was committed after {} can come again.", to_string(obstacle.lsn)
        ),
    };
}

/// What stands in the way of every one of the windows, up to there.
Lsn floor_of(
    pq::Connection& target,
    const config::Settings& settings,
    const std::vector<Window>& windows
) {
    if (windows.empty()) return {};
    const auto& oldest = *std::ranges::min_element(windows, {}, &Window::first);
    const auto obstacle = pg::find_obstacle(target, settings, oldest.first);
    return obstacle ? obstacle->lsn : Lsn{};
}

/// The greater, the less WAL there is to go through.
std::pair<Lsn, Lsn> nearness(const source_catalog::Slot& slot) {
    return {slot.restart_lsn, slot.confirmed_flush_lsn};
}

/// A table that is to be read from the source, and is there.
std::optional<pg::KeptTable> find_unread(ReplaySides sides, const config::Settings& settings) {
    for (auto& table : pg::tables_to_read(sides.target, settings)) {
        const auto there = sides.source.exec(
            "SELECT FROM pg_catalog.pg_class WHERE oid = $1::oid", {table.relation_id}
        );
        if (there.rows() != 0) return std::move(table);
    }
    return std::nullopt;
}

}  // namespace

std::variant<ReplayPlan, Refusal> plan_replay(
    ReplaySides sides,
    const config::Settings& settings,
    const history_writer::Checkpoint& checkpoint,
    const std::string& from
) {
    const auto bookmarks = pg::read_bookmarks(sides.target, settings.pipeline);
    const auto windows = find_windows(sides.source, settings, bookmarks);
    const auto replay = pg::read_replay(sides.target, settings.pipeline);
    const bool under_way = replay && replay->from;
    const auto kept_no_more = [&](const std::string& what) {
        return not_kept(windows, what, floor_of(sides.target, settings, windows));
    };
    const auto named = std::ranges::find(bookmarks, from, &pg::Bookmark::name);
    std::optional<pg::ReplayPoint> point;
    if (named != bookmarks.end()) {
        if (!named->point) return unfinished(from);
        point = named->point;
    } else {
        const auto lsn = pgoutput::parse_lsn(from);
        if (!lsn) return unknown(from);
        if (*lsn > checkpoint.position) return beyond(checkpoint, *lsn, under_way);
        point = point_of(sides.target, settings, bookmarks, *lsn);
        if (!point) return kept_no_more(from);
    }
    const auto position = point->position;
    if (position > checkpoint.position) return beyond(checkpoint, position, under_way);
    if (const auto table = find_unread(sides, settings)) return still_to_read(*table, position);
    if (const auto obstacle = pg::find_obstacle(sides.target, settings, position)) {
        return not_in_wal(*obstacle, windows, position);
    }
    // Of those that reach back far enough, the one with the least WAL to go through; but the slot
    // of the pipeline moves while that runs, and the one of the bookmark that was named does not.
    const Window* best = nullptr;
    for (const auto& window : windows) {
        if (window.slot.confirmed_flush_lsn > position) continue;
        if (named != bookmarks.end() && window.slot.name == named->slot) {
            best = &window;
            break;
        }
        if (best == nullptr || nearness(window.slot) > nearness(best->slot)) best = &window;
    }
    if (best == nullptr) return kept_no_more(to_string(position));
    return ReplayPlan{*point, best->slot.name};
}

std::optional<Refusal> make_replay_slot(
    pq::Connection& source,
    const config::Settings& settings,
    const ReplayPlan& plan,
    const std::string& slot,
    Lsn until
) {
    source.exec(replicator::drop_slot_sql, {slot});
    source.exec(replicator::copy_slot_sql, {plan.slot, slot});
    advance_slot(source, slot, plan.from.position);
    const auto probe =
        probe_slot(source, slot, settings.source.publications, {until, probe_time_limit});
    if (probe != replicator::SlotProbe::publication_unknown) return std::nullopt;
    return Refusal{
        .primary = fmt::format(
            "changes from {} on cannot be decoded for the publications that are configured",
            to_string(plan.from.position)
        ),
        .detail = "One of them did not exist then.",
        .hint = "Replay from a position after it was created.",
    };
}

std::string
note_replay_slot(pq::Connection& target, const std::string& pipeline, const std::string& fresh) {
    if (auto replay = pg::read_replay(target, pipeline)) return std::move(replay->slot);
    pg::announce_replay(target, pipeline, fresh);
    return fresh;
}

void clear_away(ReplaySides sides, const std::string& pipeline) {
    if (!sides.source.ok() || !sides.target.ok()) return;
    const auto replay = pg::read_replay(sides.target, pipeline);
    if (!replay || replay->from) return;
    sides.source.exec(replicator::drop_slot_sql, {replay->slot});
    pg::forget_replay(sides.target, pipeline);
}

Refusal cannot_set_back(const pg::CannotRewind& error) {
    return {.primary = "the history cannot be set back", .detail = error.what()};
}

void tell_left_alone(
    pq::Connection& target,
    const config::Settings& settings,
    std::string_view fate,
    std::ostream& out
) {
    for (const auto& table : pg::left_alone(target, settings)) {
        const auto name = one_line(table.source_schema + "." + table.source_table);
        out << fmt::format("table \"{}\" is excluded by the configuration: {}\n", name, fate);
    }
}

}  // namespace pgchronicle::commands
