#include "history_writer/table_failure.hpp"
#include "pgoutput/decode.hpp"
#include "replicator/io/session.hpp"
#include "replicator/stream_error.hpp"

// How a transaction goes into the batch: whole, or as far as it has come.

namespace pgchronicle::replicator::io {

using pgoutput::PgTimestamp;

namespace {

/// One turn folds at most this many messages, so that the server hears from us in between.
constexpr int messages_per_turn = 16'384;

}  // namespace

void Session::begin_replay(const WholeTransaction& transaction) {
    replaying_ = transaction;
    replay_begun_ = false;
    const auto& messages = *transaction.messages;
    alone_ = policy_.full({.rows = messages.messages(), .bytes = messages.bytes()});
}

bool Session::settle(const StreamPipeline::Outcome& outcome) {
    if (!outcome.ok()) {
        const auto& failure = outcome.error();
        if (failure.table) {
            throw history_writer::TableFailure{*failure.table, failure.primary, failure.detail};
        }
        throw NeedsOperator{failure.primary, failure.detail};
    }
    if (const auto* done = std::get_if<TransactionDone>(&*outcome)) {
        on_transaction_done(done->end_lsn);
    } else if (const auto* needs = std::get_if<NeedsTable>(&*outcome)) {
        unplaced_ = *needs;
        return resume();
    } else if (const auto* question = std::get_if<NeedsAnswer>(&*outcome)) {
        unanswered_ = *question;
        return resume();
    }
    return true;
}

bool Session::resume() {
    if (unplaced_ && !place()) return false;
    if (unanswered_ && !ask()) return false;
    return settle(pipeline_.resume());
}

bool Session::replay() {
    if (!replay_begun_) {
        if (alone_ && pipeline_.builder().rows() > 0) {
            if (!writer_idle()) return false;
            hand_over(false);
        }
        replay_begun_ = true;
        pipeline_.begin(replaying_->commit.end_lsn);
        (void)settle(pipeline_.apply(replaying_->begin));
    }
    if (pipeline_.waits() && !resume()) return false;
    for (int i = 0; i < messages_per_turn; ++i) {
        if (policy_.overfull(batch_state())) {
            if (!writer_idle() || left_out()) return false;
            hand_over(true);
        }
        const auto bytes = replaying_->messages->next();
        if (bytes.empty()) {
            if (coming_) {
                direct_ = true;
                return true;
            }
            (void)settle(pipeline_.apply(replaying_->commit));
            replaying_.reset();
            return true;
        }
        const auto message = pgoutput::decode(bytes, replaying_->context);
        if (!message.ok()) {
            throw NeedsOperator{
                "could not decode a message of the replication stream", to_string(message.error())};
        }
        if (replaying_->skips(*message)) continue;
        if (!settle(pipeline_.apply(*message))) return false;
    }
    more_ = true;
    return false;
}

bool Session::place() {
    // Answers are made on the writer's thread: while it is busy, nothing of them may be touched.
    if (!writer_idle()) return false;
    auto relation = unplaced_->relation;
    const auto known = parts_.tables.known(*relation);
    if (known && known->table != nullptr && !same_columns_) {
        look_at_columns(relation);
        return false;
    }
    if (known && same_columns_.value_or(true)) {
        pipeline_.bind(relation->id, known->table);
        placed();
        return true;
    }
    if (pipeline_.builder().rows() > 0) {
        // Rows of the old shape go to the target before the new one reaches it.
        hand_over(true);
        return false;
    }
    const history_writer::SourceTransaction at{
        replaying_->commit.end_lsn, pipeline_.last_recorded_time().value_or(PgTimestamp{})};
    auto answer = std::make_shared<TableResolver::Answer>();
    ask_source(
        [this, relation, answer, at, xid = replaying_->begin.xid] {
            parts_.tables.see(xid);
            *answer = parts_.tables.resolve(*relation, at);
        },
        [this, relation, answer] {
            pipeline_.bind(relation->id, answer->table);
            placed();
        }
    );
    return false;
}

void Session::look_at_columns(const std::shared_ptr<const pgoutput::Relation>& relation) {
    auto same = std::make_shared<bool>(false);
    ask_source(
        [this, relation, same, xid = replaying_->begin.xid] {
            parts_.tables.see(xid);
            *same = parts_.tables.same_columns(*relation);
        },
        [this, same] { same_columns_ = *same; }
    );
}

void Session::placed() {
    unplaced_.reset();
    same_columns_.reset();
}

bool Session::ask() {
    if (!writer_idle()) return false;
    auto equal = std::make_shared<bool>(false);
    ask_source(
        [this, equal, question = unanswered_->question] {
            *equal = parts_.tables.equal(*question);
        },
        [this, equal] {
            pipeline_.answer(*equal);
            unanswered_.reset();
        }
    );
    return false;
}

void Session::on_transaction_done(Lsn end_lsn) {
    built_end_ = end_lsn;
    acks_.on_received(end_lsn);
    idle_position_ = std::max(idle_position_, end_lsn);
    if (options_.until && end_lsn >= *options_.until) reached_until_ = true;
    if (parts_.tables.copy_due()) leaving_for_copy_ = true;
}

bool Session::left_out() const {
    if (!replaying_ || !stop_requested_) return false;
    return (coming_ && replay_begun_) || (alone_ && policy_.overfull(batch_state()));
}

}  // namespace pgchronicle::replicator::io
