#include "commands/bookmark.hpp"

#include "commands/aligned_table.hpp"
#include "commands/connect.hpp"
#include "commands/decision.hpp"
#include "commands/status_report.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/metadata.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <random>

namespace pgchronicle::commands {
namespace {

namespace pg = history_writer::pg;

bool is_bookmark_name(const std::string& name) {
    constexpr std::size_t bytes_max = 63;
    constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    return !name.empty() && name.size() <= bytes_max &&
           name.find_first_not_of(allowed) == std::string::npos;
}

std::optional<Refusal> refuse_to_add(
    const config::Settings& settings,
    const source_catalog::Server& server,
    const std::optional<history_writer::Checkpoint>& checkpoint,
    const std::optional<source_catalog::Slot>& slot
) {
    if (!checkpoint) {
        return Refusal{
            .primary =
                fmt::format("pipeline \"{}\" has no checkpoint to go back to", settings.pipeline),
            .hint = "Run it first; a bookmark stands where the checkpoint does.",
        };
    }
    if (auto no = refuse_other_source(settings, server, checkpoint)) return no;
    if (!slot || slot->wal_status == "lost" || !slot->invalidation_reason.empty()) {
        return Refusal{
            .primary = fmt::format(
                "replication slot \"{}\" {}",
                settings.source.slot,
                slot ? "is lost" : "does not exist"
            ),
            .hint = R"("pgchronicle check" says more.)",
        };
    }
    if (slot->confirmed_flush_lsn <= checkpoint->position) return std::nullopt;
    return Refusal{
        .primary = "slot is ahead of the checkpoint: changes between them could not be replayed",
        .detail = fmt::format(
            "The checkpoint is at {}, slot \"{}\" has confirmed {}.",
            to_string(checkpoint->position),
            slot->name,
            to_string(slot->confirmed_flush_lsn)
        ),
        .hint = "If a replay is under way, let \"pgchronicle run\" finish it.",
    };
}

/// What keeps a bookmark from being of use; empty when nothing does.
std::string
trouble_of(const pg::Bookmark& bookmark, const std::optional<source_catalog::Slot>& slot) {
    if (!bookmark.point) return "unfinished: drop it";
    if (!slot) return "slot is gone: drop it";
    if (slot->wal_status == "lost" || !slot->invalidation_reason.empty())
        return "slot is lost: drop it";
    return slot->wal_status;
}

}  // namespace

int bookmark_add(
    const config::Settings& settings,
    const std::string& name,
    std::ostream& out,
    std::ostream& err
) {
    if (!is_bookmark_name(name)) {
        return report(
            {.exit_code = exit_usage,
             .primary = fmt::format("invalid bookmark name \"{}\"", name),
             .hint = "Names are 1 to 63 letters, digits, and - . _"},
            err
        );
    }
    auto target = connect(settings.target.connection, "bookmark add");
    auto source = connect(settings.source.connection, "bookmark add");
    pg::ensure_metadata(target);
    // The slot is read first: the checkpoint can only grow meanwhile.
    const auto slot = source_catalog::read_slot(source, settings.source.slot);
    const auto checkpoint = pg::read_checkpoint(target, settings.pipeline);
    const auto server = source_catalog::read_server(source);
    if (const auto no = refuse_to_add(settings, server, checkpoint, slot)) return report(*no, err);

    const auto copy =
        replicator::slot_name_of("bookmark", settings.pipeline, name, std::random_device{}());
    if (!pg::announce_bookmark(target, settings.pipeline, name, copy)) {
        return report(
            {.exit_code = exit_usage,
             .primary = fmt::format("bookmark \"{}\" exists already", name),
             .hint = "Choose another name, or drop it first."},
            err
        );
    }
    // Where a connection is lost, what is there is listed then.
    const auto clear_away = [&] {
        if (!source.ok() || !target.ok()) return;
        source.exec(replicator::drop_slot_sql, {copy});
        pg::delete_bookmark(target, settings.pipeline, name);
    };
    pg::ReplayPoint point;
    try {
        source.exec(replicator::copy_slot_sql, {settings.source.slot, copy});
        point = pg::finish_bookmark(target, settings.pipeline, name);
    } catch (const pq::Error&) {
        clear_away();
        throw;
    }
    const auto made = source_catalog::read_slot(source, copy);
    if (!made || made->confirmed_flush_lsn > point.position) {
        clear_away();
        return report(
            {.primary = "the history was set back while the bookmark was made",
             .hint = "Let \"pgchronicle run\" finish the replay, then make it again."},
            err
        );
    }
    out << fmt::format("bookmark \"{}\" at {}, slot {}\n", name, to_string(point.position), copy);
    return exit_done;
}

int bookmark_list(const config::Settings& settings, std::ostream& out) {
    auto target = connect(settings.target.connection, "bookmark list");
    if (!pg::has_metadata(target)) return exit_done;
    pg::ensure_metadata(target);
    const auto bookmarks = pg::read_bookmarks(target, settings.pipeline);
    if (bookmarks.empty()) {
        out << "no bookmarks\n";
        return exit_done;
    }
    auto source = connect(settings.source.connection, "bookmark list");
    const auto end = source_catalog::read_server(source).flush_lsn;
    AlignedTable table{{"bookmark", "position", "last commit", "made", "retains", "WAL", "slot"}};
    for (const auto& bookmark : bookmarks) {
        const auto slot = source_catalog::read_slot(source, bookmark.slot);
        const bool retains = slot && slot->restart_lsn.valid();
        table.add(
            {bookmark.name,
             bookmark.point ? to_string(bookmark.point->position) : "",
             bookmark.point ? bookmark.point->last_commit_time : "",
             bookmark.created_at,
             retains ? bytes_text(bytes_between(slot->restart_lsn, end)) : "",
             trouble_of(bookmark, slot),
             bookmark.slot}
        );
    }
    table.print(out);
    return exit_done;
}

int bookmark_drop(
    const config::Settings& settings,
    const BookmarkDropOptions& options,
    std::ostream& out,
    std::ostream& err
) {
    if (const auto no = refuse_reason(options.reason)) return report(*no, err);
    auto target = connect(settings.target.connection, "bookmark drop");
    pg::ensure_metadata(target);
    const auto bookmarks = pg::read_bookmarks(target, settings.pipeline);
    const auto found = std::ranges::find(bookmarks, options.name, &pg::Bookmark::name);
    if (found == bookmarks.end()) {
        return report(
            {.exit_code = exit_usage,
             .primary = fmt::format("bookmark \"{}\" does not exist", options.name),
             .hint = R"("pgchronicle bookmark list" shows those that do.)"},
            err
        );
    }
    auto source = connect(settings.source.connection, "bookmark drop");
    source.exec(replicator::drop_slot_sql, {found->slot});
    durably(target, [&] {
        pg::delete_bookmark(target, settings.pipeline, found->name);
        std::optional<pgoutput::Lsn> at;
        if (found->point) at = found->point->position;
        const auto detail = fmt::format("\"{}\", slot \"{}\"", found->name, found->slot);
        record(target, settings.pipeline, {"bookmark drop", options.reason, detail, at, at});
    });
    out << fmt::format("dropped bookmark \"{}\" and slot {}\n", found->name, found->slot);
    return exit_done;
}

}  // namespace pgchronicle::commands
