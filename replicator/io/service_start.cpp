#include "failpoint/failpoint.hpp"
#include "history_writer/pg/bookmark_store.hpp"
#include "history_writer/pg/checkpoint_store.hpp"
#include "history_writer/pg/reconciliation.hpp"
#include "history_writer/pg/table_state.hpp"
#include "initial_copy/source_snapshot.hpp"
#include "replicator/io/service.hpp"
#include "replicator/slot_commands.hpp"
#include "replicator/startup_guard.hpp"
#include "source_catalog/catalog.hpp"

#include <utility>

// Before the stream: whether checkpoint, slot and source fit, and what is done where they do not.

namespace pgchronicle::replicator::io {

namespace pg = history_writer::pg;
using history_writer::Checkpoint;
using source_catalog::Slot;

namespace {

/// A slot waits, before it has a position, for transactions that run already.
bool being_made(const Slot& slot) {
    return slot.plugin == "pgoutput" && slot.active && !slot.confirmed_flush_lsn.valid();
}

NeedsOperator lost_again(const std::string& why) {
    return {
        why + " once more",
        "It had just been made again, and nothing was streamed behind the comparison of the tables "
        "yet.",
        "The source keeps WAL for it until then: raise max_slot_wal_keep_size, or find out who "
        "drops the slot."};
}

NeedsOperator not_behind(const std::string& slot, Lsn position, Lsn checkpoint) {
    return {
        "replication slot \"" + slot + "\" does not begin after the checkpoint",
        "It begins at " + to_string(position) + ", and the checkpoint is at " +
            to_string(checkpoint) + ".",
        "The source was set back, or this is not the one that the history came from."};
}

}  // namespace

void Service::gather(pq::Connection& source, pq::Connection& target, StartupFacts& facts) {
    facts.pipeline = settings_.pipeline;
    facts.slot_name = settings_.source.slot;
    facts.publication_names = settings_.source.publications;
    facts.checkpoint = pg::read_checkpoint(target, settings_.pipeline);
    look_for_replay(source, target, facts.checkpoint);
    facts.slot = slot_to_read(source);
    facts.publications = source_catalog::read_publications(source, settings_.source.publications);
    facts.history_empty = facts.checkpoint || pg::history_empty(target, settings_.pipeline);
    facts.may_create_slot = settings_.source.create_slot == config::CreateSlot::if_missing;
    facts.may_reconcile = may_reconcile();
    // Read after the slot: the position the source has written can only grow.
    facts.server = source_catalog::read_server(source);
    wal_sender_timeout_ms_ = facts.server.wal_sender_timeout_ms;
    source_version_ = facts.server.version;
}

void Service::check_two_phase(const StartupFacts& facts) {
    // A replay's slot is a copy, which has no two_phase: what was prepared comes with its commit.
    two_phase_ = !replay_ && (settings_.source.two_phase || (facts.slot && facts.slot->two_phase));
    if (!two_phase_ || source_version_ >= two_phase_version) return;
    throw NeedsOperator{
        "source.two_phase needs a source of PostgreSQL 15 or later",
        "Before, pgoutput cannot send prepared transactions.",
        "Remove the key, and use a slot without it; prepared transactions come with their "
        "COMMIT PREPARED then."};
}

/// Before a slot is made that keeps WAL, and a checkpoint that says that there is a history.
void Service::check_tables(pq::Connection& source, pq::Connection& target) {
    try {
        PipelineTables{settings_, source, target, log_, needs_text_}.check();
    } catch (const history_writer::TableFailure& failure) {
        const auto& table = failure.table();
        const auto wanted =
            history_writer::on_error(table.source_schema, table.source_table, settings_);
        // Else it is left behind when there is a checkpoint to say since when.
        if (wanted == config::OnError::stop) throw;
    }
}

Checkpoint Service::start_point(pq::Connection& source, pq::Connection& target) {
    StartupFacts facts;
    gather(source, target, facts);
    if (facts.slot && being_made(*facts.slot)) {
        throw pq::Error{
            {object_in_use,
             "replication slot \"" + facts.slot_name + "\" is still being made",
             "Process " + std::to_string(facts.slot->active_pid) + " makes it."}};
    }
    // Before a slot is made that nobody would read.
    check_two_phase(facts);
    auto startup = check_startup(facts);
    if (!facts.checkpoint) check_tables(source, target);
    if (startup == Startup::create_slot) {
        make_slot(facts.server);
        facts.slot = source_catalog::read_slot(source, facts.slot_name);
        startup = check_startup(facts);
    } else if (startup == Startup::reconcile) {
        reconcile(source, target, facts);
        startup = check_startup(facts);
        check_two_phase(facts);
    }
    source_end_ = facts.server.flush_lsn;
    slot_position_ = facts.slot->confirmed_flush_lsn;
    if (startup == Startup::go_on) {
        // Should one of them go again, its tables will be missed.
        if (facts.checkpoint->source.publications.size() != facts.publication_names.size()) {
            pg::store_publications(target, settings_.pipeline, facts.publication_names);
        }
        return *facts.checkpoint;
    }

    Checkpoint first;
    first.source = {
        facts.server.system_identifier,
        facts.server.timeline,
        facts.server.database,
        facts.slot_name,
        settings_.source.publications};
    first.slot_start = facts.slot->confirmed_flush_lsn;
    first.last_commit_end = first.position = first.slot_start;
    pg::write_first_checkpoint(target, settings_.pipeline, first);
    log_.info("first_run", {{"slot_start", to_string(first.slot_start)}});
    return first;
}

void Service::make_slot(const source_catalog::Server& server) {
    auto options = source_options();
    options.replication = true;
    auto connection = pq::Connection::open(options);
    initial_copy::SnapshotOptions waiting;
    waiting.source = source_options();
    (void)initial_copy::exec_in_time(
        connection,
        create_slot(settings_.source.slot, {source_version_, server.in_recovery, two_phase_}),
        waiting,
        life_.stop_token()
    );
    log_.info("slot_created", {{"slot", settings_.source.slot}});
}

bool Service::may_reconcile() const {
    // A replay goes on from a slot of its own, and `replay` does nothing else.
    return settings_.source.on_slot_lost == config::OnSlotLost::reconcile && !replay_ &&
           !options_.replay_only;
}

// Each step leaves what the next start takes for the same loss, until the checkpoint has moved: no
// slot, or one that is ahead. Only then is it known which changes are missing, and recorded.
void Service::reconcile(pq::Connection& source, pq::Connection& target, StartupFacts& facts) {
    const pg::LostSlot lost{facts.slot_name, slot_loss(facts), facts.checkpoint->position};
    if (reconciling_) throw lost_again(lost.why);
    log_.warn("slot_lost", {{"message", lost.why}, {"checkpoint", to_string(lost.from)}});
    if (facts.slot && facts.slot->active) {
        throw pq::Error{
            {object_in_use,
             lost.why + ", and it is in use",
             "Process " + std::to_string(facts.slot->active_pid) + " reads it.",
             "Each reader needs a slot of its own."}};
    }
    if (!restore_slot(source, target, facts, lost)) {
        // What waits in a slot that is ahead can be read, and is history. But for prepared
        // transactions: those from before its position would come without their content.
        const bool readable = facts.slot && !facts.slot->lost() && !facts.slot->two_phase;
        if (!readable) replace_slot(source, facts);
        facts.slot = source_catalog::read_slot(source, facts.slot_name);
        const auto position = facts.slot ? facts.slot->confirmed_flush_lsn : Lsn{};
        if (position <= lost.from) throw not_behind(lost.slot, position, lost.from);
        pg::begin_reconciliation(target, settings_, lost, position);
        failpoint(Failpoint::reconciliation_begun);
        reconciling_ = true;
        log_.warn(
            "reconciling",
            {{"slot", lost.slot},
             {"from_lsn", to_string(lost.from)},
             {"to_lsn", to_string(position)}}
        );
    }
    facts.slot = source_catalog::read_slot(source, facts.slot_name);
    facts.checkpoint = pg::read_checkpoint(target, settings_.pipeline);
    facts.server = source_catalog::read_server(source);
    facts.may_reconcile = false;
    if (const auto again = slot_loss(facts); !again.empty()) throw lost_again(again);
}

void Service::replace_slot(pq::Connection& source, const StartupFacts& facts) {
    // Refused with 55006 where somebody has begun to read it.
    source.exec(drop_slot_sql, {facts.slot_name});
    failpoint(Failpoint::lost_slot_dropped);
    make_slot(facts.server);
    failpoint(Failpoint::lost_slot_made);
}

bool Service::restore_slot(
    pq::Connection& source,
    pq::Connection& target,
    const StartupFacts& facts,
    const pg::LostSlot& lost
) {
    std::optional<Slot> nearest;
    for (const auto& bookmark : pg::read_bookmarks(target, settings_.pipeline)) {
        auto slot = source_catalog::read_slot(source, bookmark.slot);
        if (!slot || slot->lost() || !slot->confirmed_flush_lsn.valid()) continue;
        if (slot->confirmed_flush_lsn > lost.from) continue;
        if (nearest && slot->confirmed_flush_lsn <= nearest->confirmed_flush_lsn) continue;
        nearest = std::move(slot);
    }
    if (!nearest) return false;
    // Noted first: what is done without a trace is worse than a trace of what was done again.
    pg::note_restored_slot(target, settings_.pipeline, lost, nearest->name);
    source.exec(drop_slot_sql, {lost.slot});
    failpoint(Failpoint::lost_slot_dropped);
    source.exec(copy_slot_sql, {nearest->name, lost.slot});
    const auto failover =
        mark_for_failover(lost.slot, {source_version_, facts.server.in_recovery, false});
    if (!failover.empty()) {
        auto options = source_options();
        options.replication = true;
        pq::Connection::open(options).exec(failover);
    }
    log_.warn("slot_restored", {{"slot", lost.slot}, {"copy_of", nearest->name}});
    return true;
}

}  // namespace pgchronicle::replicator::io
