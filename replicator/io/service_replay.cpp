#include "failpoint/failpoint.hpp"
#include "replicator/io/service.hpp"
#include "replicator/slot_commands.hpp"
#include "replicator/stream_error.hpp"
#include "source_catalog/catalog.hpp"

// What `replay` began: the history was set back, and is streamed again from a slot of its own up to
// where it reached. Then the pipeline's slot goes on. Every start looks for it first, so that it is
// of no account which process began it, and whether that one was killed.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;

void Service::look_for_replay(
    pq::Connection& source,
    pq::Connection& target,
    const std::optional<history_writer::Checkpoint>& checkpoint
) {
    replay_ = pg::read_replay(target, settings_.pipeline);
    if (!replay_) return;
    const bool over = checkpoint && replay_->from && checkpoint->position >= replay_->until;
    if (over || !replay_->from) end_replay(source, target);
}

void Service::end_replay(pq::Connection& source, pq::Connection& target) {
    // The server side of our own stream may need a moment to end.
    constexpr std::chrono::milliseconds poll{20};
    constexpr int polls_max = 100;
    for (int i = 0; i < polls_max; ++i) {
        const auto slot = source_catalog::read_slot(source, replay_->slot);
        if (!slot || !slot->active || life_.sleep(poll)) break;
    }
    // The slot first: as long as the mark is there, somebody knows of it.
    source.exec(drop_slot_sql, {replay_->slot});
    failpoint(Failpoint::replay_without_slot);
    pg::forget_replay(target, settings_.pipeline);
    if (replay_->from) {
        log_.info(
            "replay_done",
            {{"from", to_string(*replay_->from)}, {"until", to_string(replay_->until)}}
        );
    }
    replay_.reset();
}

std::optional<source_catalog::Slot> Service::slot_to_read(pq::Connection& source) const {
    auto slot = source_catalog::read_slot(source, slot_name());
    const bool readable = slot && !slot->lost();
    if (!replay_ || readable) return slot;
    throw NeedsOperator{
        "slot \"" + replay_->slot + "\" of the replay is " + (slot ? "lost" : "gone"),
        "The history was set back to " + to_string(*replay_->from) +
            ", and is not complete before " + to_string(replay_->until) + ".",
        "Replay once more, from a bookmark that is still kept: \"pgchronicle bookmark list\"."};
}

Service::Turn
Service::replay(pq::Connection& source, pq::Connection& target, PipelineTables& tables) {
    log_.info(
        "replay_streams",
        {{"from", to_string(*replay_->from)}, {"until", to_string(replay_->until)}}
    );
    const auto turn = stream(target, tables, replay_->until, false);
    if (turn == Turn::again || life_.stop_token().stop_requested()) return turn;
    end_replay(source, target);
    return options_.replay_only ? Turn::finished : Turn::again;
}

}  // namespace pgchronicle::replicator::io
